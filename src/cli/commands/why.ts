import type { Command } from 'commander'
import { targetQueueing } from '../choose-target.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets } from '../open-targets.js'
import type { Shell } from '../shell.js'

interface WhyOptions {
  readonly json?: boolean
}

export function addWhyCommand(program: Command, shell: Shell): void {
  program
    .command('why')
    .summary('why an update waits, and what was set for it')
    .description(
      'Says in words why an update waits, how big its batches are, and which settings were changed for it.\n' +
        'The decisions of tuner and pace live in the process that runs it: there `updater.why(name)` tells them.',
    )
    .argument('<name>', 'name of the update')
    .option('--json', 'print one JSON document')
    .action(
      shell.action<WhyOptions>((options, [name = '']) =>
        withTargets(shell, options, async (targets) => {
          const { updater } = await targetQueueing(targets, name)
          const why = await updater.why(name)
          if (options.json) shell.output.json(why)
          else for (const line of why.words) shell.output.line(line)
          return ExitCode.DONE
        }),
      ),
    )
}
