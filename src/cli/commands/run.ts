import type { Command } from 'commander'
import { ConfigurationError } from '../../errors.js'
import { noPace } from '../../pacing/fixed-pace.js'
import type { UpdateDefinition } from '../../updates/definition.js'
import type { ExitCode } from '../exit-codes.js'
import { withTargets, type OpenTarget } from '../open-targets.js'
import type { Output } from '../output/output.js'
import { JsonView } from '../run/json-view.js'
import { LiveView } from '../run/live-view.js'
import { PlainView } from '../run/plain-view.js'
import type { RunView } from '../run/run-view.js'
import { runUpdaters } from '../run/run-updaters.js'
import { refuseUnknownNames, selectOnly } from '../run/selection.js'
import type { GlobalOptions, Shell } from '../shell.js'
import type { Target } from '../targets.js'

interface RunOptions {
  readonly once?: boolean
  readonly only?: readonly string[]
  readonly pace: boolean
  readonly json?: boolean
}

export function addRunCommand(program: Command, shell: Shell): void {
  program
    .command('run')
    .summary('run the queue')
    .description(
      'Runs the queue until it is stopped, with the configured pauses: what a deployment keeps running.\n' +
        'With --once it runs without pauses until nothing is left that can run, and ends: what a deploy step calls.',
    )
    .option('--once', 'end when nothing is left that can run; without pauses')
    .option('--only <names...>', 'run only these updates and what they depend on')
    .option('--no-pace', 'no pauses between batches')
    .option('--json', 'print one event a line, as JSON')
    .addHelpText(
      'after',
      `
The first Ctrl-C (SIGINT) or SIGTERM lets the running batch finish; a second one cancels it in the server, a third
ends the process at once. Nothing that was committed is lost either way, and no batch is repeated. It may also be killed
at any moment.

Exit codes of --once:
  0  nothing is left
  3  what is left is held by another runner that is alive
  4  what is left needs a person: it failed, is paused or has no handler, or the updates are disabled
130/143 after a clean stop by SIGINT/SIGTERM, with or without --once; 141 when nobody reads the output any more.`,
    )
    .action(shell.action<RunOptions>((options) => run(shell, options)))
}

async function run(shell: Shell, options: RunOptions & GlobalOptions): Promise<ExitCode> {
  const only = options.only ?? null
  const shown: { view: RunView | null } = { view: null }
  const logger = shell.logger(options, (line) => (shown.view ? shown.view.log(line) : shell.output.note(line)))
  return withTargets(
    shell,
    options,
    async (targets) => {
      const updaters = []
      for (const target of targets) {
        updaters.push(only === null ? target.updater : target.updaterOf(await selected(target, only)))
      }
      const view = chooseView(shell.output, options, targets.length > 1)
      shown.view = view
      return runUpdaters(updaters, view, { once: options.once ? { names: only } : null })
    },
    {
      settings: { logger, ...(options.once || !options.pace ? { pace: noPace() } : {}) },
      mayBeAway: !options.once,
      refuse: (found) => refuseWithoutHandlers(found, only),
    },
  )
}

function refuseWithoutHandlers(found: readonly Target[], only: readonly string[] | null): void {
  const definitions = found.flatMap((target) => target.definitions ?? [])
  if (definitions.length === 0) {
    throw new ConfigurationError('run', ['no updates are defined here; `updates` of evenkeel.config.ts names them'])
  }
  if (only !== null) refuseUnknownNames(definitions, only)
}

async function selected(
  target: OpenTarget,
  only: readonly string[],
): Promise<readonly UpdateDefinition<never, never>[]> {
  const { updates } = await target.status()
  return selectOnly(target.definitions ?? [], only, new Map(updates.map(({ name, dependsOn }) => [name, dependsOn])))
}

function chooseView(output: Output, { json }: RunOptions, several: boolean): RunView {
  if (json) return new JsonView(output)
  return output.live ? new LiveView(output) : new PlainView(output, several)
}
