import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import { configIn } from '../config/find-config.js'
import { ExitCode } from '../exit-codes.js'
import type { Shell } from '../shell.js'
import { CONFIG_TEMPLATE, UPDATE_TEMPLATE } from '../templates.js'

export function addInitCommand(program: Command, shell: Shell): void {
  program
    .command('init')
    .summary('write a configuration and a first update')
    .description('Writes evenkeel.config.ts and a first update into this folder. A file that is there is left alone.')
    .action(shell.action<object>(() => init(shell)))
}

async function init(shell: Shell): Promise<ExitCode> {
  const existing = configIn(shell.cwd)
  if (existing !== null) {
    shell.output.line(`${path.basename(existing)} is here already; nothing was written`)
    return ExitCode.DONE
  }
  writeNew(shell, 'evenkeel.config.ts', CONFIG_TEMPLATE)
  writeNew(shell, path.join('updates', 'lowercase-emails.ts'), UPDATE_TEMPLATE)
  shell.output.line('')
  shell.output.line('Next: put your database and your own update in, then')
  shell.output.line('  npx evenkeel install')
  shell.output.line('  npx evenkeel enqueue lowercase_emails')
  shell.output.line('  npx evenkeel run')
  return ExitCode.DONE
}

function writeNew(shell: Shell, name: string, text: string): void {
  const file = path.join(shell.cwd, name)
  mkdirSync(path.dirname(file), { recursive: true })
  try {
    // `wx` fails where a file is, also one that came this very moment.
    writeFileSync(file, text, { flag: 'wx' })
    shell.output.line(`wrote ${name}`)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error
    shell.output.line(`kept  ${name}, which is here already`)
  }
}
