import type { Command } from 'commander'
import type { JsonValue } from '../../json.js'
import type { AuditEntry } from '../../queue/audit.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets } from '../open-targets.js'
import type { Shell } from '../shell.js'
import { parseLimit } from './history.js'

interface AuditOptions {
  readonly json?: boolean
  readonly limit: number
}

export function addAuditCommand(program: Command, shell: Shell): void {
  program
    .command('audit')
    .summary('who changed which setting, and why')
    .description('Shows the changes of settings, newest first: who, what, before and after, why.')
    .option('--json', 'print one JSON document')
    .option('--limit <number>', 'how many of each database at most', parseLimit, 100)
    .action(
      shell.action<AuditOptions>((options) =>
        withTargets(shell, options, async (targets) => {
          const databases: Record<string, AuditEntry[]> = {}
          for (const { databaseName, updater } of targets) {
            databases[databaseName] = await updater.audit({ limit: options.limit })
          }
          if (options.json) shell.output.json({ databases })
          else for (const line of auditLines(databases)) shell.output.line(line)
          return ExitCode.DONE
        }),
      ),
    )
}

function auditLines(databases: Readonly<Record<string, readonly AuditEntry[]>>): string[] {
  const several = Object.keys(databases).length > 1
  const lines = Object.entries(databases).flatMap(([databaseName, entries]) =>
    entries.map(({ at, by, action, subject, reason, before, after }) => {
      const who = by === null ? '' : ` by ${by}`
      const why = reason === null ? '' : `: ${reason}`
      const where = several ? `${databaseName} ` : ''
      return `${at}  ${where}${action} ${subject ?? ''} ${shown(before)} → ${shown(after)}${who}${why}`
    }),
  )
  return lines.length === 0 ? ['nothing was changed yet'] : lines
}

function shown(value: JsonValue): string {
  return value === null ? 'none' : JSON.stringify(value)
}
