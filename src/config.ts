import type { Capabilities, Database, Dialect } from './databases/database.js'
import { parseDatabaseUrl } from './databases/database-url.js'
import { ConfigurationError } from './errors.js'
import { describe, refuseProblems, requireReadable, unknownOptionProblems } from './options.js'
import { resolveSettings, type UpdaterOptions } from './settings.js'

/** What any adapter returns, whatever its transactions are. */
export interface AnyDatabase {
  readonly dialect: Dialect
  readonly capabilities: Capabilities
  transaction(...given: never[]): unknown
  session(...given: never[]): unknown
  query(...given: never[]): unknown
  close(): Promise<void>
}

/**
 * A database in a configuration: what an adapter such as `fromPg` returns, a function that returns it (called only by
 * commands that connect), or a text: `postgres://…`, `sqlite:app.db`, the name of a SQLite file.
 */
export type DatabaseSource = string | AnyDatabase | (() => AnyDatabase | Promise<AnyDatabase>)

/** One database of a configuration: the options of its `BackgroundUpdater`. */
export interface DatabaseConfig extends Omit<
  UpdaterOptions<never>,
  'database' | 'databaseName' | 'clock' | 'owner' | 'logger'
> {
  /** May be left out where the command line or the environment names it. A file is found from the config file's folder. */
  readonly database?: DatabaseSource
}

/** Several databases, each with its own updates, by name. */
export interface DatabasesConfig {
  readonly databases: Readonly<Record<string, DatabaseConfig>>
}

/** What `evenkeel.config.ts` exports as its default. */
export type Config = DatabaseConfig | DatabasesConfig

/**
 * The configuration of the shell, typed and checked.
 *
 * @throws ConfigurationError with every problem of it
 * @example
 * import { backfill, defineConfig } from 'evenkeel'
 *
 * export default defineConfig({
 *   database: 'sqlite:app.db',
 *   updates: [backfill({ name: 'lowercase_emails', table: 'users', set: { email_lower: 'lower(email)' } })],
 * })
 */
export function defineConfig(config: Config): Config {
  configuredDatabases(config, 'defineConfig')
  return config
}

/** One database of a checked configuration. */
export interface ConfiguredDatabase {
  readonly databaseName: string
  readonly source: DatabaseSource | undefined
  readonly options: Omit<DatabaseConfig, 'database'>
}

/**
 * The databases of a configuration, checked whole.
 *
 * @throws ConfigurationError with every problem; `subject` says of what
 */
export function configuredDatabases(config: unknown, subject: string): ConfiguredDatabase[] {
  requireReadable(subject, config)
  if (!isPlainObject(config)) {
    throw new ConfigurationError(subject, [`it must be an object, not ${describe(config)}`])
  }
  const several = 'databases' in config
  const problems = several ? severalProblems(config) : databaseProblems(config, '')
  refuseProblems(subject, problems)
  const entries = several
    ? Object.entries((config as unknown as DatabasesConfig).databases)
    : [['main', config] as const]
  return entries.map(([databaseName, { database, ...options }]) => ({
    databaseName,
    source: database as DatabaseSource | undefined,
    options,
  }))
}

function severalProblems(config: Record<string, unknown>): string[] {
  const problems = unknownOptionProblems(config, ['databases'])
  const { databases } = config
  if (!isPlainObject(databases)) {
    return [...problems, `databases must be an object of databases by name, not ${describe(databases)}`]
  }
  if (Object.keys(databases).length === 0) problems.push('databases is empty: name at least one')
  for (const [name, database] of Object.entries(databases)) {
    if (name === '') problems.push('databases has a database without a name')
    else if (isPlainObject(database)) problems.push(...databaseProblems(database, `databases.${name}: `))
    else problems.push(`databases.${name} must be an object, not ${describe(database)}`)
  }
  return problems
}

const NOT_CONFIGURED = ['databaseName', 'clock', 'owner', 'logger']

function databaseProblems(config: Record<string, unknown>, label: string): string[] {
  const { database, ...options } = config
  const problems = [...sourceProblems(database)]
  for (const name of NOT_CONFIGURED) {
    if (name in options) problems.push(`${name} is set by the shell itself; leave it out`)
  }
  const checked = Object.fromEntries(Object.entries(options).filter(([name]) => !NOT_CONFIGURED.includes(name)))
  try {
    // Before anything is opened: the settings are held against a database that is there in name only.
    resolveSettings({ ...checked, database: unopened(dialectOf(database)) })
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    problems.push(...error.problems)
  }
  return problems.map((problem) => `${label}${problem}`)
}

function sourceProblems(source: unknown): string[] {
  if (source === undefined || typeof source === 'function') return []
  if (typeof source === 'string') {
    const location = parseDatabaseUrl(source)
    return 'problem' in location ? [`database: ${location.problem}`] : []
  }
  const adapter = ['transaction', 'session', 'query', 'close'].every(
    (method) => typeof (source as Record<string, unknown> | null)?.[method] === 'function',
  )
  if (adapter) return []
  return [
    `database must be a URL, an adapter such as fromPg(pool), or a function returning one, not ${describe(source)}`,
  ]
}

/** The dialect where it can be told without opening anything. */
export function dialectOf(source: unknown): Dialect | undefined {
  if (typeof source === 'string') {
    const location = parseDatabaseUrl(source)
    return 'problem' in location ? undefined : location.dialect
  }
  return typeof source === 'object' && source !== null ? (source as Partial<Database>).dialect : undefined
}

function unopened(dialect: Dialect | undefined): Database<never> {
  const refuse = () => Promise.reject(new Error('not opened'))
  return {
    // PostgreSQL takes every setting, so that nothing is refused which the opened database may take.
    dialect: dialect ?? 'postgres',
    capabilities: { cancel: false, pinnedSession: true, concurrentTransactions: false },
    transaction: refuse,
    session: refuse,
    query: refuse,
    close: refuse,
  }
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
