import { InvalidArgumentError, type Command } from 'commander'
import { UnknownUpdateError } from '../../errors.js'
import { closest } from '../../options.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets, type OpenTarget } from '../open-targets.js'
import type { Shell } from '../shell.js'
import { listenForStop } from '../stop-signals.js'

interface WaitOptions {
  readonly timeout?: number
}

export function addWaitCommand(program: Command, shell: Shell): void {
  program
    .command('wait')
    .summary('wait until updates have finished, whoever runs them')
    .description(
      'Waits until none of the named updates is in the queue any more, whichever process runs them.\n' +
        'Exit codes: 0 finished, 2 the time is over, 4 one of them failed or was cancelled.',
    )
    .argument('<names...>', 'names of the updates')
    .option('--timeout <seconds>', 'give up after so long; default: never', parseSeconds)
    .action(
      shell.action<WaitOptions>((options, names) =>
        withTargets(shell, options, async (targets) => {
          await refuseUnknown(targets, names)
          const stop = listenForStop()
          try {
            const timeoutMs = options.timeout === undefined ? undefined : options.timeout * 1_000
            await waitEverywhere(targets, names, timeoutMs, stop.signal)
            return ExitCode.DONE
          } catch (error) {
            if (stop.signal.aborted) return stop.exitCode
            throw error
          } finally {
            stop.dispose()
          }
        }),
      ),
    )
}

async function waitEverywhere(
  targets: readonly OpenTarget[],
  names: readonly string[],
  timeoutMs: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const others = new AbortController()
  const waits = targets.map(({ updater }) =>
    updater.waitFor(names, {
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      signal: AbortSignal.any([signal, others.signal]),
    }),
  )
  try {
    await Promise.all(waits)
  } finally {
    // One that has failed decides; the connections of the others must not be closed under them.
    others.abort()
    await Promise.allSettled(waits)
  }
}

// A name that is nowhere counts as finished, as after a fresh installation. With a configuration a typo can be told.
async function refuseUnknown(targets: readonly OpenTarget[], names: readonly string[]): Promise<void> {
  if (targets.some(({ definitions }) => definitions === null)) return
  const known = new Set(targets.flatMap(({ definitions }) => definitions ?? []).map(({ name }) => name))
  for (const { updater } of targets) {
    for (const { name } of (await updater.databaseStatus()).updates) known.add(name)
    for (const { name } of await updater.history()) known.add(name)
  }
  const unknown = names.find((name) => !known.has(name))
  if (unknown !== undefined) throw new UnknownUpdateError(unknown, closest(unknown, [...known]))
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (text.trim() === '' || !Number.isFinite(seconds) || seconds < 0) {
    throw new InvalidArgumentError('It must be a number of seconds of at least 0.')
  }
  return seconds
}
