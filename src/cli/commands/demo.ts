import type { Command } from 'commander'
import { demoPlace } from '../demo/demo-database.js'
import { runDemo } from '../demo/demo.js'
import type { Shell } from '../shell.js'

interface DemoOptions {
  readonly fresh?: boolean
}

export function addDemoCommand(program: Command, shell: Shell): void {
  program
    .command('demo')
    .summary('a million rows, six steps, half a minute')
    .description(
      'Loads the places of the world into .evenkeel-demo/ (SQLite), a million rows, and runs a chain on them: fill a\n' +
        'column, move orphans and duplicates aside, add a foreign key, add NOT NULL, replace an index by a unique one.\n' +
        'Stop it with Ctrl-C or kill it, and give the command again: it goes on where it was, and checks the data at the\n' +
        'end. With --database postgres://… it does the same there, in a schema of its own, evenkeel_demo.',
    )
    .option('--fresh', 'start over; removes what an earlier demo left')
    .action(
      shell.action<DemoOptions>((options) =>
        runDemo(shell, options, demoPlace(options.database, shell.cwd), options.fresh === true),
      ),
    )
}
