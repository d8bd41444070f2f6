import { userInfo } from 'node:os'
import type { Command } from 'commander'
import type { BackgroundUpdater } from '../../updater.js'
import { targetDefining, targetQueueing } from '../choose-target.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets } from '../open-targets.js'
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
  readonly done: string
}

const VERBS: readonly Verb[] = [
  {
    name: 'pause',
    summary: 'keep an update from running its next batch',
    description: 'The running batch ends as usual; the next one waits for `evenkeel resume`, also after a restart.',
    done: 'paused',
  },
  {
    name: 'resume',
    summary: 'let a paused update go on',
    description: 'It goes on from its last committed batch.',
    done: 'resumed',
  },
  {
    name: 'cancel',
    summary: 'take an update out of the queue',
    description: 'The running batch is rolled back; batches that are committed stay. The history keeps who and why.',
    done: 'cancelled; what it had committed stays',
  },
]

const ACCEPT_CHANGES = [
  '--accept-changes',
  'its definition has changed since its first batch, and going on from there is right',
] as const

/** pause, resume, cancel, retry: what people do to one update, beside any runner. */
export function addControlCommands(program: Command, shell: Shell): void {
  for (const { name: verb, summary, description, done } of VERBS) {
    const command = addPersonOptions(program.command(verb).summary(summary).description(description))
    if (verb === 'resume') command.option(...ACCEPT_CHANGES)
    command.argument('<name>', 'name of the update').action(
      shell.action<ControlOptions>((options, [name = '']) =>
        withTargets(shell, options, async (targets) => {
          const { updater } = await targetQueueing(targets, name)
          await updater[verb](name, { ...personOf(options), ...acceptanceOf(options) })
          shell.output.line(`${name}: ${done}`)
          return ExitCode.DONE
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
    .option('--by <who>', 'who does it, for the log; default: you')
    .action(
      shell.action<ControlOptions>((options, [name = '']) =>
        withTargets(shell, options, async (targets) => {
          const quarantined = options.quarantined === true
          // An update that has finished isn't queued any more: the one that defines it is meant.
          const { updater } = quarantined ? targetDefining(targets, name) : await targetQueueing(targets, name)
          await updater.retry(name, { by: options.by ?? whoami(), quarantined, ...acceptanceOf(options) })
          shell.output.line(`${name}: will be tried again${quarantined ? ', with the rows that were set aside' : ''}`)
          return ExitCode.DONE
        }),
      ),
    )
}

/** disable and enable: the switch for a whole database. */
export function addSwitchCommands(program: Command, shell: Shell): void {
  addPersonOptions(
    program
      .command('disable')
      .summary('switch all updates of a database off')
      .description('No batch starts any more, in any process, also after restarts, until `evenkeel enable`.'),
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

/** Who does it, and why. */
export function addPersonOptions(command: Command): Command {
  return command
    .option('--by <who>', 'who does it, for status and history; default: you')
    .option('--reason <why>', 'why, for status and history')
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
