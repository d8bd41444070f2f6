import type { Command } from 'commander'
import type { QuarantinedRow } from '../../queue/quarantine.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets } from '../open-targets.js'
import { quarantineLines } from '../output/quarantine-text.js'
import type { Shell } from '../shell.js'
import { parseLimit } from './history.js'

interface QuarantinedOptions {
  readonly json?: boolean
  readonly limit: number
}

export function addQuarantinedCommand(program: Command, shell: Shell): void {
  program
    .command('quarantined')
    .summary('the rows that updates have set aside')
    .description(
      'Shows the rows that updates could not change and have set aside, with their errors.\n' +
        '`evenkeel retry <name> --quarantined` tries them again.',
    )
    .argument('[name]', 'name of the update; default: all')
    .option('--json', 'print one JSON document')
    .option('--limit <number>', 'how many of each database at most', parseLimit, 100)
    .action(
      shell.action<QuarantinedOptions>((options, [update]) =>
        withTargets(shell, options, async (targets) => {
          const databases: Record<string, QuarantinedRow[]> = {}
          for (const { databaseName, updater } of targets) {
            databases[databaseName] = await updater.quarantined({ update, limit: options.limit })
          }
          if (options.json) shell.output.json({ databases })
          else for (const line of quarantineLines(databases, shell.output.style)) shell.output.line(line)
          return ExitCode.DONE
        }),
      ),
    )
}
