import { InvalidArgumentError, type Command } from 'commander'
import type { HistoryEntry } from '../../queue/history.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets } from '../open-targets.js'
import { historyLines } from '../output/history-text.js'
import type { Shell } from '../shell.js'

interface HistoryOptions {
  readonly json?: boolean
  readonly limit: number
}

export function addHistoryCommand(program: Command, shell: Shell): void {
  program
    .command('history')
    .summary('what has finished or was cancelled')
    .description('Shows the updates that have left the queue, newest first: how they ended and what they did.')
    .option('--json', 'print one JSON document')
    .option('--limit <number>', 'how many of each database at most', parseLimit, 100)
    .action(
      shell.action<HistoryOptions>((options) =>
        withTargets(shell, options, async (targets) => {
          const databases: Record<string, HistoryEntry[]> = {}
          for (const { databaseName, updater } of targets) {
            databases[databaseName] = await updater.history({ limit: options.limit })
          }
          if (options.json) shell.output.json({ databases })
          else for (const line of historyLines(databases, shell.output.style)) shell.output.line(line)
          return ExitCode.DONE
        }),
      ),
    )
}

/** A whole number of at least 1. */
export function parseLimit(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of at least 1.')
  return Number(text)
}
