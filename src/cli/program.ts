import { Command, type CommanderError } from 'commander'
import { createRequire } from 'node:module'
import { addAuditCommand } from './commands/audit.js'
import { addControlCommands, addSwitchCommands } from './commands/control.js'
import { addDemoCommand } from './commands/demo.js'
import { addEnqueueCommand } from './commands/enqueue.js'
import { addHistoryCommand } from './commands/history.js'
import { addInitCommand } from './commands/init.js'
import { addInstallCommand } from './commands/install.js'
import { addPreviewCommand } from './commands/preview.js'
import { addQuarantinedCommand } from './commands/quarantined.js'
import { addRunCommand } from './commands/run.js'
import { addSetCommand } from './commands/set.js'
import { addStatusCommand } from './commands/status.js'
import { addWaitCommand } from './commands/wait.js'
import { addWhyCommand } from './commands/why.js'
import type { Shell } from './shell.js'

/** The command line: every command with its options and its help. */
export function buildProgram(shell: Shell): Command {
  const program = new Command('evenkeel')
    .description(
      'Background updates for live PostgreSQL and SQLite databases: in small, self-tuned, resumable batches.',
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .addHelpCommand(new Command('help [command]').summary('show the help of a command').helpGroup('Try:'))
    .option('--database <url>', 'postgres://…, sqlite:app.db or the name of a SQLite file')
    .option('--config <file>', 'configuration; default: the nearest evenkeel.config.{ts,mts,js,mjs} upward')
    .option('--database-name <name>', 'which database of the configuration; default: all')
    .option('--schema <name>', 'PostgreSQL schema of our own tables; default: the configuration, else the search path')
    .option('--verbose', 'log more, on stderr')
    .option('--no-color', 'no colours; NO_COLOR and a pipe mean the same')
    .addHelpText('after', HELP_AFTER)
    .showHelpAfterError('See `evenkeel --help`.')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => shell.output.stdout.write(text),
      writeErr: (text) => shell.output.note(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error:/, shell.output.errorStyle.red('error') + ':')),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => Math.min(shell.output.columns, 120),
    })
    // Instead of ending the process: what was opened is closed and what was written is flushed first.
    .exitOverride()
  const groups: [title: string, add: () => void][] = [
    ['Set up:', () => (addInitCommand(program, shell), addInstallCommand(program, shell))],
    ['Run:', () => (addEnqueueCommand(program, shell), addRunCommand(program, shell), addWaitCommand(program, shell))],
    [
      'Look:',
      () => {
        addStatusCommand(program, shell)
        addPreviewCommand(program, shell)
        addWhyCommand(program, shell)
        addHistoryCommand(program, shell)
        addQuarantinedCommand(program, shell)
        addAuditCommand(program, shell)
      },
    ],
    [
      'Control:',
      () => {
        addControlCommands(program, shell)
        addSwitchCommands(program, shell)
        addSetCommand(program, shell)
      },
    ],
    ['Try:', () => addDemoCommand(program, shell)],
  ]
  for (const [title, add] of groups) {
    program.commandsGroup(title)
    add()
  }
  // Each inherits nothing of these from the program by itself.
  for (const command of program.commands)
    command.exitOverride().showHelpAfterError(`See \`evenkeel ${command.name()} --help\`.`)
  return program
}

/** Whether an error of commander only means that help or the version was shown. */
export function isShown(error: CommanderError): boolean {
  return error.exitCode === 0
}

const HELP_AFTER = `
The address of the database: --database, else EVENKEEL_DATABASE_URL, else DATABASE_URL, else the configuration.
With an address and no configuration, everything but \`run\` works.

Exit codes:
  0    done, or nothing to do
  1    unexpected error (EVENKEEL_DEBUG=1 shows the stack)
  2    work is pending: status --check, or wait timed out
  3    held by another runner
  4    an update needs a person
  5    not installed, or installed by another version
  64   the command line or the configuration can't be used
  130, 143  after a clean stop by SIGINT, SIGTERM
  141  after a clean stop because nobody reads the output any more`

function packageVersion(): string {
  const require = createRequire(import.meta.url)
  return (require('../../package.json') as { version: string }).version
}
