import type { Command } from 'commander'
import { ConfigurationError } from '../../errors.js'
import { installSql, type InstallResult } from '../../schema/install.js'
import { MissingFileError, UsageError } from '../errors.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets } from '../open-targets.js'
import { printError } from '../output/error-text.js'
import type { GlobalOptions, Shell } from '../shell.js'
import { findTargets } from '../targets.js'

interface InstallOptions {
  readonly sql?: boolean
  readonly check?: boolean
  readonly json?: boolean
}

export function addInstallCommand(program: Command, shell: Shell): void {
  program
    .command('install')
    .summary('create or upgrade our own tables')
    .description(
      'Creates or upgrades the tables that Evenkeel keeps its queue and history in. Safe to repeat, and safe from\n' +
        'several processes at once. An existing background_updates table with the four public columns is adopted.',
    )
    .option('--sql', 'print the SQL for your own migration tool; connects to nothing')
    .option('--check', 'change nothing; exit 5 unless the tables are those of this version')
    .option('--json', 'print one JSON document')
    .action(
      shell.action<InstallOptions>((options) => {
        if (options.sql && options.check) throw new UsageError('--sql and --check exclude each other')
        if (options.sql) return printSql(shell, options)
        return options.check ? check(shell, options) : install(shell, options)
      }),
    )
}

async function printSql(shell: Shell, options: GlobalOptions): Promise<ExitCode> {
  const targets = await findTargets(options, shell)
  for (const { databaseName, dialect, options: configured } of targets) {
    if (dialect === undefined) {
      throw new ConfigurationError(`database "${databaseName}"`, [
        'its kind is not known before it is opened; give --database postgres:// or --database sqlite:NAME',
      ])
    }
    if (targets.length > 1) shell.output.line(`-- database ${JSON.stringify(databaseName)}`)
    const schema = options.schema ?? configured.schema
    shell.output.line(installSql(dialect, schema === undefined ? {} : { schema }).trimEnd())
  }
  return ExitCode.DONE
}

async function check(shell: Shell, options: InstallOptions & GlobalOptions): Promise<ExitCode> {
  const databases = await withTargets(shell, options, async (targets) => {
    for (const { updater } of targets) await updater.checkInstallation()
    return targets.map(({ databaseName }) => databaseName)
  }).catch((error: unknown) => {
    if (error instanceof MissingFileError) return error
    throw error
  })
  // In a file that isn't there the tables aren't either: that is what was asked, and no misuse of the command.
  if (databases instanceof MissingFileError) {
    printError(shell.output, databases, shell.debug)
    return ExitCode.NOT_INSTALLED
  }
  if (options.json) shell.output.json({ installed: true, databases })
  else for (const name of databases) shell.output.line(`${name}: the tables are those of this version`)
  return ExitCode.DONE
}

async function install(shell: Shell, options: InstallOptions & GlobalOptions): Promise<ExitCode> {
  const results = await withTargets(
    shell,
    options,
    async (targets) => {
      const done: Record<string, InstallResult> = {}
      for (const { databaseName, updater } of targets) done[databaseName] = await updater.install()
      return done
    },
    { installed: false },
  )
  if (options.json) shell.output.json({ databases: results })
  else for (const [name, result] of Object.entries(results)) shell.output.line(`${name}: ${installWords(result)}`)
  return ExitCode.DONE
}

function installWords({ from, to, adopted }: InstallResult): string {
  if (from === to) return `revision ${to} is installed already`
  if (adopted) return `took over the existing table background_updates with its rows, now at revision ${to}`
  return from === 0 ? `installed revision ${to}` : `upgraded revision ${from} to ${to}`
}
