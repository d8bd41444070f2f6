import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type BetterSqlite3 from 'better-sqlite3'
import type pg from 'pg'
import type { Database } from '../../databases/database.js'
import { parseDatabaseUrl } from '../../databases/database-url.js'
import { fromBetterSqlite3 } from '../../databases/drivers/better-sqlite3.js'
import { fromPg } from '../../databases/drivers/pg.js'
import { ConfigurationError } from '../../errors.js'
import { MissingFileError, MissingPackageError } from '../errors.js'

/** A database that a command works on. */
export interface OpenedDatabase {
  readonly database: Database<never>
  close(): Promise<void>
}

export interface OpenOptions {
  /** What relative file names start from. */
  readonly folder: string
  /** Whether a SQLite file that isn't there may be made. A status of a misspelt name must not make one. */
  readonly mayCreate: boolean
}

/** Opens what a URL or a file name says, with the driver that is installed. */
export async function openDatabaseUrl(url: string, options: OpenOptions): Promise<OpenedDatabase> {
  const location = parseDatabaseUrl(url)
  if ('problem' in location) throw new ConfigurationError('database', [location.problem])
  return location.dialect === 'postgres' ? openPostgres(location.url) : openSqlite(location.file, options)
}

/** A PostgreSQL database with a pool of its own. `searchPath` names the schema that unqualified tables are in. */
export async function openPostgres(url: string, searchPath?: string): Promise<OpenedDatabase> {
  const { default: driver } = await importPeer<{ default: typeof pg }>('pg', 'PostgreSQL')
  const pool = new driver.Pool({
    connectionString: url,
    application_name: 'evenkeel',
    connectionTimeoutMillis: 10_000,
    // A batch, the heartbeat of its lease, the picture on the screen, and a cancel.
    max: 4,
    ...(searchPath === undefined ? {} : { options: `-c search_path=${searchPath}` }),
  })
  return { database: fromPg(pool) as unknown as Database<never>, close: () => pool.end() }
}

async function openSqlite(file: string, { folder, mayCreate }: OpenOptions): Promise<OpenedDatabase> {
  const absolute = file === ':memory:' ? file : path.resolve(folder, file)
  const parent = path.dirname(absolute)
  if (file !== ':memory:' && !existsSync(mayCreate ? parent : absolute)) {
    if (!mayCreate) throw new MissingFileError(absolute)
    throw new ConfigurationError('database', [`the folder ${parent} does not exist`])
  }
  const { default: Driver } = await importPeer<{ default: typeof BetterSqlite3 }>('better-sqlite3', 'SQLite')
  const handle = new Driver(absolute)
  return {
    database: fromBetterSqlite3(handle) as unknown as Database<never>,
    close: async () => {
      handle.close()
    },
  }
}

/** A package that only some users need: ours, or the one of the folder where the command was given. */
export async function importPeer<Module>(name: string, purpose: string): Promise<Module> {
  try {
    return (await import(name)) as Module
  } catch (error) {
    if (!isMissing(error, name)) throw error
  }
  try {
    const file = createRequire(path.join(process.cwd(), 'package.json')).resolve(name)
    return (await import(pathToFileURL(file).href)) as Module
  } catch (error) {
    if (!isMissing(error, name)) throw error
    throw new MissingPackageError(name, purpose, error)
  }
}

function isMissing(error: unknown, name: string): boolean {
  const code = (error as { code?: unknown }).code
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return false
  return (error as Error).message.includes(`'${name}'`)
}
