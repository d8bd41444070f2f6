import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { needsPerson } from '../../queue/reasons.js'
import type { Status } from '../../status.js'
import { UsageError } from '../errors.js'
import { ExitCode } from '../exit-codes.js'
import { statusOf, withTargets, type OpenTarget } from '../open-targets.js'
import { statusLines } from '../output/status-text.js'
import { Screen } from '../output/screen.js'
import type { Shell } from '../shell.js'
import { listenForStop } from '../stop-signals.js'

interface StatusOptions {
  readonly check?: boolean
  readonly json?: boolean
  readonly watch?: boolean
}

export function addStatusCommand(program: Command, shell: Shell): void {
  program
    .command('status')
    .summary('what is queued, how far it is, and why it waits')
    .description(
      'Shows every queued update: its state, how far it is, its rate, what is left, and why it waits.\n' +
        'Works beside any runner, and without a configuration when --database says where.',
    )
    .option('--check', 'exit 2 while work is pending, 4 when an update needs a person, 0 when nothing is left')
    .option('--json', 'print one JSON document')
    .option('--watch', 'show it again every second until Ctrl-C')
    .action(
      shell.action<StatusOptions>((options) => {
        if (options.watch && options.json) {
          throw new UsageError('--watch and --json exclude each other', 'Call `evenkeel status --json` repeatedly.')
        }
        return withTargets(shell, options, async (targets) => {
          if (options.watch) return watch(shell, targets)
          const status = await statusOf(targets)
          if (options.json) shell.output.json(status)
          else for (const line of statusLines(status, shell.output.style)) shell.output.line(line)
          return options.check ? checkCode(status) : ExitCode.DONE
        })
      }),
    )
}

/** What `--check` says of a status: a person is needed, work is pending, or nothing is left. */
export function checkCode(status: Status): ExitCode {
  const updates = Object.values(status.databases).flatMap((database) => database.updates)
  // A pause is a person's decision already, not a call for one.
  const stuck = updates.some(({ waiting }) => waiting && waiting.code !== 'paused' && needsPerson(waiting.code))
  if (stuck) return ExitCode.NEEDS_PERSON
  return updates.length > 0 ? ExitCode.PENDING : ExitCode.DONE
}

const WATCH_MS = 1_000

async function watch(shell: Shell, targets: readonly OpenTarget[]): Promise<ExitCode> {
  const { output } = shell
  const stop = listenForStop()
  const screen = new Screen(output)
  let shown = ''
  try {
    while (!stop.signal.aborted) {
      const lines = statusLines(await statusOf(targets), output.style)
      // In a pipe every picture is a block of its own, and only when something has changed.
      if (output.live) screen.draw(lines)
      else if (lines.join('\n') !== shown) for (const line of shown === '' ? lines : ['', ...lines]) output.line(line)
      shown = lines.join('\n')
      await delay(WATCH_MS, undefined, { signal: stop.signal }).catch(() => {})
    }
  } finally {
    screen.end()
    stop.dispose()
  }
  return stop.exitCode
}
