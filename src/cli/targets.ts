import path from 'node:path'
import { dialectOf, type ConfiguredDatabase, type DatabaseConfig, type DatabaseSource } from '../config.js'
import type { Database, Dialect } from '../databases/database.js'
import { parseDatabaseUrl } from '../databases/database-url.js'
import { classifyError } from '../databases/error-class.js'
import { ConfigurationError, EvenkeelError } from '../errors.js'
import { closest, databaseProblems, refuseProblems } from '../options.js'
import type { UpdateDefinition } from '../updates/definition.js'
import { findConfig } from './config/find-config.js'
import { loadConfig } from './config/load-config.js'
import { openDatabaseUrl, type OpenedDatabase } from './config/open-database.js'
import { UsageError } from './errors.js'
import { messageOf } from '../thrown.js'

/** The options that say which database a command is about. */
export interface DatabaseOptions {
  readonly database?: string
  readonly config?: string
  readonly databaseName?: string
}

/** A database that a command is about, not opened yet. */
export interface Target {
  readonly databaseName: string
  /** Null without a configuration: then nobody knows here which updates have handlers. */
  readonly definitions: readonly UpdateDefinition<never, never>[] | null
  readonly options: Omit<DatabaseConfig, 'database'>
  /** Known without opening it, unless the configuration gives a function. */
  readonly dialect: Dialect | undefined
  open(mayCreate: boolean): Promise<OpenedDatabase>
}

export interface Surroundings {
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/**
 * The databases of a command: from the configuration, with the address from the flag, EVENKEEL_DATABASE_URL or
 * DATABASE_URL in its place, in this order.
 *
 * @throws ConfigurationError
 */
export async function findTargets(options: DatabaseOptions, { cwd, environment }: Surroundings): Promise<Target[]> {
  const file = options.config === undefined ? findConfig(cwd) : path.resolve(cwd, options.config)
  const loaded = file === null ? null : await loadConfig(file)
  const address = addressOf(options, environment)
  if (loaded === null) {
    if (address === null) throw nothingNamed()
    return [unconfigured(options.databaseName ?? 'main', address, cwd)]
  }
  const folder = path.dirname(loaded.file)
  const replaced = address === null ? null : replacedName(loaded.databases, options.databaseName, address)
  const targets = loaded.databases.map((configured) =>
    address !== null && configured.databaseName === replaced
      ? configuredTarget(configured, address.url, cwd)
      : configuredTarget(configured, configured.source, folder),
  )
  return options.databaseName === undefined ? targets : [named(targets, options.databaseName)]
}

interface Address {
  readonly url: string
  /** `--database` or the name of the variable. */
  readonly from: string
}

function addressOf(options: DatabaseOptions, environment: Surroundings['environment']): Address | null {
  const candidates = [
    { from: '--database', url: options.database },
    { from: 'EVENKEEL_DATABASE_URL', url: environment.EVENKEEL_DATABASE_URL },
    { from: 'DATABASE_URL', url: environment.DATABASE_URL },
  ]
  for (const { from, url } of candidates) {
    if (url === undefined || (url === '' && from !== '--database')) continue
    const location = parseDatabaseUrl(url)
    if ('problem' in location) throw new ConfigurationError(from, [location.problem])
    return { from, url }
  }
  return null
}

// A variable that the application has for itself may be there: it is for `main`, and no reason to refuse work on others.
function replacedName(
  configured: readonly ConfiguredDatabase[],
  wanted: string | undefined,
  address: Address,
): string | null {
  const names = configured.map(({ databaseName }) => databaseName)
  if (address.from !== '--database') return names.length === 1 ? (names[0] ?? null) : 'main'
  if (wanted !== undefined || names.length === 1) return wanted ?? names[0] ?? null
  throw new UsageError(
    `--database is one address, and the configuration has the databases ${names.join(', ')}`,
    'Say which of them is meant: --database-name NAME.',
  )
}

function configuredTarget(
  { databaseName, options }: ConfiguredDatabase,
  source: DatabaseSource | undefined,
  folder: string,
): Target {
  return {
    databaseName,
    options,
    definitions: options.updates ?? [],
    dialect: dialectOf(source),
    async open(mayCreate) {
      if (source === undefined) throw nothingNamed(databaseName)
      if (typeof source === 'string') return openDatabaseUrl(source, { folder, mayCreate })
      const database = typeof source === 'function' ? await made(databaseName, source) : (source as Database<never>)
      return { database, close: () => database.close() }
    },
  }
}

async function made(databaseName: string, make: () => unknown): Promise<Database<never>> {
  const subject = `the database function of "${databaseName}"`
  let database: unknown
  try {
    database = await make()
  } catch (error) {
    // A database that is away is told of as such.
    if (error instanceof EvenkeelError || classifyError(error) === 'connection') throw error
    throw new ConfigurationError(subject, [`it threw: ${messageOf(error)}`], error)
  }
  const problems = databaseProblems(database)
  refuseProblems(subject, problems)
  return database as Database<never>
}

function unconfigured(databaseName: string, { url }: Address, cwd: string): Target {
  return {
    databaseName,
    options: {},
    definitions: null,
    dialect: dialectOf(url),
    open: (mayCreate) => openDatabaseUrl(url, { folder: cwd, mayCreate }),
  }
}

function named(targets: readonly Target[], databaseName: string): Target {
  const target = targets.find((candidate) => candidate.databaseName === databaseName)
  if (target) return target
  const names = targets.map((candidate) => candidate.databaseName)
  const meant = closest(databaseName, names)
  throw new UsageError(
    `the configuration has no database "${databaseName}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`,
    `There ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}.`,
  )
}

function nothingNamed(databaseName?: string): UsageError {
  return new UsageError(
    `no database is named${databaseName === undefined ? '' : ` for "${databaseName}"`}`,
    'Give --database URL, set EVENKEEL_DATABASE_URL or DATABASE_URL, or write an evenkeel.config.ts (`evenkeel init`).',
  )
}
