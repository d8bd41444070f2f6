import type { Command } from 'commander'
import type { JsonValue } from '../../json.js'
import type { StoredSetting } from '../../live/stored-settings.js'
import { targetDefining, targetQueueing } from '../choose-target.js'
import { UsageError } from '../errors.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets, type OpenTarget } from '../open-targets.js'
import type { Shell } from '../shell.js'
import { addPersonOptions, personOf } from './control.js'

interface SetOptions {
  readonly update?: string
  readonly by?: string
  readonly reason?: string
  readonly json?: boolean
}

export function addSetCommand(program: Command, shell: Shell): void {
  addPersonOptions(
    program
      .command('set')
      .summary('change settings while updates run')
      .description(
        'Changes settings: stored for all processes and restarts, taken up within about a second by those that run.\n' +
          'KEY= takes a setting away again. Without any change it shows what is stored.',
      )
      .argument(
        '[changes...]',
        'KEY=VALUE, as pace.preset=gentle, pace.maxDuty=0.5, targetMs=20, budgets.rowsPerSecond=5000',
      )
      .option('--update <name>', 'for one update alone: targetMs, maxBatchSize, lanes')
      .option('--json', 'print what is stored as one JSON document'),
    'for `evenkeel audit` and the log of what runs',
    'for `evenkeel audit` and the log of what runs',
  ).action(
    shell.action<SetOptions>((options, words) =>
      withTargets(shell, options, async (targets) => {
        const changes = Object.fromEntries(words.map(parseChange))
        if (words.length > 0) {
          const { update } = options
          for (const { updater } of update === undefined ? targets : [await targetOf(targets, update)]) {
            await updater.set(changes, { ...personOf(options), ...(update === undefined ? {} : { update }) })
          }
        }
        const databases: Record<string, StoredSetting[]> = {}
        for (const { databaseName, updater } of targets) databases[databaseName] = await updater.settings()
        if (options.json) shell.output.json({ databases })
        else for (const line of settingLines(databases)) shell.output.line(line)
        return ExitCode.DONE
      }),
    ),
  )
}

/** The database that has the update in its queue, else the one whose configuration defines it. */
async function targetOf(targets: readonly OpenTarget[], update: string): Promise<OpenTarget> {
  const defines = targets.some(({ definitions }) => definitions?.some(({ name }) => name === update))
  return defines ? targetDefining(targets, update) : targetQueueing(targets, update)
}

/** A value is JSON where it can be read as such, else a text; windows may be several, with `;` between. */
function parseChange(word: string): [key: string, value: JsonValue] {
  const at = word.indexOf('=')
  if (at <= 0) throw new UsageError(`${JSON.stringify(word)} is no change`, 'Write KEY=VALUE, or KEY= to take it away.')
  const [key, text] = [word.slice(0, at), word.slice(at + 1)]
  if (text === '') return [key, null]
  if (key === 'windows' && !text.startsWith('[')) return [key, text.split(';').map((window) => window.trim())]
  try {
    return [key, JSON.parse(text) as JsonValue]
  } catch {
    return [key, text]
  }
}

function settingLines(databases: Readonly<Record<string, readonly StoredSetting[]>>): string[] {
  const several = Object.keys(databases).length > 1
  return Object.entries(databases).flatMap(([databaseName, settings]) => {
    const where = several ? `${databaseName}: ` : ''
    if (settings.length === 0) return [`${where}no setting is stored: those of the configuration are in force`]
    return settings.map(({ key, update, value, by, changedAt }) => {
      const whose = update === null ? '' : ` for ${update}`
      return `${where}${key}=${JSON.stringify(value)}${whose}, set${by === null ? '' : ` by ${by}`} at ${changedAt}`
    })
  })
}
