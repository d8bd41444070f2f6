import { userInfo } from 'node:os'
import type { Command } from 'commander'
import type { UpdateStatus } from '../../status.js'
import type { BackgroundUpdater } from '../../updater.js'
import { targetDefining, targetQueueing } from '../choose-target.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets, type OpenTarget } from '../open-targets.js'
import { afterPause, afterResume, afterRetry, type ControlOutcome } from '../output/control-words.js'
import type { GlobalOptions, Shell } from '../shell.js'

interface ControlOptions {
  readonly by?: string
  readonly reason?: string
  readonly quarantined?: boolean
  readonly acceptChanges?: boolean
}

interface Verb {
  readonly name: 'pause' | 'resume' | 'cancel'
  readonly summary: string
  readonly description: string
  readonly by: string
  readonly reason: string
  readonly outcome: (before: UpdateStatus | undefined, after: UpdateStatus | undefined) => ControlOutcome
}

const VERBS: readonly Verb[] = [
  {
    name: 'pause',
    summary: 'keep an update from running its next batch',
    description: 'The running batch ends as usual; the next one waits for `evenkeel resume`, also after a restart.',
    by: 'for status and `run`',
    reason: 'for status and `run`; a second pause without one keeps the first',
    outcome: (_, after) => afterPause(after),
  },
  {
    name: 'resume',
    summary: 'let a paused update go on',
    description: 'It goes on from its last committed batch. One that has failed is retried instead: `evenkeel retry`.',
    by: 'not kept: the pause and its reason are gone',
    reason: 'not kept',
    outcome: afterResume,
  },
  {
    name: 'cancel',
    summary: 'take an update out of the queue',
    description: 'The running batch is rolled back; batches that are committed stay. The history keeps who and why.',
    by: 'for the history',
    reason: 'for the history',
    outcome: () => ({ words: 'cancelled; what it had committed stays', exitCode: ExitCode.DONE }),
  },
]

const ACCEPT_CHANGES = [
  '--accept-changes',
  'its definition has changed since its first batch, and going on from there is right',
] as const

/** pause, resume, cancel, retry: what people do to one update, beside any runner. */
export function addControlCommands(program: Command, shell: Shell): void {
  for (const { name: verb, summary, description, by, reason, outcome } of VERBS) {
    const command = addPersonOptions(program.command(verb).summary(summary).description(description), by, reason)
    if (verb === 'resume') command.option(...ACCEPT_CHANGES)
    command.argument('<name>', 'name of the update').action(
      shell.action<ControlOptions>((options, [name = '']) =>
        withTargets(shell, options, async (targets) => {
          const target = await targetQueueing(targets, name)
          const before = await queuedIn(target, name)
          await target.updater[verb](name, { ...personOf(options), ...acceptanceOf(options) })
          return say(shell, name, outcome(before, await queuedIn(target, name)))
        }),
      ),
    )
  }
  addRetryCommand(program, shell)
}

function addRetryCommand(program: Command, shell: Shell): void {
  program
    .command('retry')
    .summary('let a failed update try again')
    .description('Clears its failures; it goes on from its last committed batch.')
    .argument('<name>', 'name of the update')
    .option('--quarantined', 'try the rows that were set aside again, also when the update has finished')
    .option(...ACCEPT_CHANGES)
    .option('--by <who>', 'who does it, for `enqueued_by` when it is queued again; default: you')
    .action(
      shell.action<ControlOptions>((options, [name = '']) =>
        withTargets(shell, options, async (targets) => {
          const quarantined = options.quarantined === true
          // An update that has finished isn't queued any more: the one that defines it is meant.
          const target = quarantined ? targetDefining(targets, name) : await targetQueueing(targets, name)
          const before = await queuedIn(target, name)
          await target.updater.retry(name, { by: options.by ?? whoami(), quarantined, ...acceptanceOf(options) })
          return say(shell, name, afterRetry(before, await queuedIn(target, name), quarantined))
        }),
      ),
    )
}

// The library's verbs leave alone what they aren't for, and say nothing: what is so is read from the queue.
async function queuedIn(target: OpenTarget, name: string): Promise<UpdateStatus | undefined> {
  return (await target.status()).updates.find((update) => update.name === name)
}

function say(shell: Shell, name: string, { words, exitCode }: ControlOutcome): ExitCode {
  shell.output.line(`${name}: ${words}`)
  return exitCode
}

/** disable and enable: the switch for a whole database. */
export function addSwitchCommands(program: Command, shell: Shell): void {
  addPersonOptions(
    program
      .command('disable')
      .summary('switch all updates of a database off')
      .description('No batch starts any more, in any process, also after restarts, until `evenkeel enable`.'),
    'for status and `run`',
    'for status and `run`; a second one without a reason keeps the first',
  ).action(
    shell.action<ControlOptions>((options) =>
      switchAll(shell, options, 'disabled', (updater) => updater.disable(personOf(options))),
    ),
  )
  program
    .command('enable')
    .summary('switch them on again')
    .description('Lets the updates of the database go on where they were.')
    .action(
      shell.action<ControlOptions>((options) => switchAll(shell, options, 'enabled', (updater) => updater.enable())),
    )
}

function switchAll(
  shell: Shell,
  options: GlobalOptions,
  word: string,
  work: (updater: BackgroundUpdater<never>) => Promise<void>,
): Promise<ExitCode> {
  return withTargets(shell, options, async (targets) => {
    for (const { databaseName, updater } of targets) {
      await work(updater)
      shell.output.line(`${databaseName}: updates are ${word}`)
    }
    return ExitCode.DONE
  })
}

/** Who does it, and why; `by` and `reason` say where each can be read. */
export function addPersonOptions(command: Command, by: string, reason: string): Command {
  return command.option('--by <who>', `who does it, ${by}; default: you`).option('--reason <why>', `why, ${reason}`)
}

function acceptanceOf({ acceptChanges }: ControlOptions): { acceptChanges?: boolean } {
  return acceptChanges === undefined ? {} : { acceptChanges }
}

/** As the library wants it. */
export function personOf({ by, reason }: Pick<ControlOptions, 'by' | 'reason'>): { by: string; reason?: string } {
  return { by: by ?? whoami(), ...(reason === undefined ? {} : { reason }) }
}

// A container may run under a number that no name belongs to.
function whoami(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`
  }
}
