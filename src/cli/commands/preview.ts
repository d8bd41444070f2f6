import type { Command } from 'commander'
import { previewSentence, type Preview } from '../../updates/preview/preview.js'
import { targetDefining } from '../choose-target.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets } from '../open-targets.js'
import type { Shell } from '../shell.js'

interface PreviewOptions {
  readonly json?: boolean
}

export function addPreviewCommand(program: Command, shell: Shell): void {
  program
    .command('preview')
    .summary('which rows an update would delete, move or change')
    .description('Counts the rows and shows the first of them, for at most 5 s; changes nothing.')
    .argument('<name>', 'name of the update')
    .option('--json', 'print one JSON document')
    .action(
      shell.action<PreviewOptions>((options, [name = '']) =>
        withTargets(shell, options, async (targets) => {
          const preview = await targetDefining(targets, name).updater.preview(name)
          if (options.json) shell.output.json({ update: name, preview })
          else for (const line of previewLines(name, preview)) shell.output.line(line)
          return ExitCode.DONE
        }),
      ),
    )
}

function previewLines(name: string, preview: Preview | null): string[] {
  if (preview === null) return [`${name}: which rows it changes can't be told beforehand`]
  return [`${name}: ${previewSentence(preview)}`, ...preview.sample.map((row) => `  ${JSON.stringify(row)}`)]
}
