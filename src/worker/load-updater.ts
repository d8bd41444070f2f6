import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { configuredDatabases, type ConfiguredDatabase, type DatabaseSource } from '../config.js'
import type { Database } from '../databases/database.js'
import { parseDatabaseUrl } from '../databases/database-url.js'
import { fromBetterSqlite3 } from '../databases/drivers/better-sqlite3.js'
import { fromPg } from '../databases/drivers/pg.js'
import { ConfigurationError } from '../errors.js'
import { BackgroundUpdater } from '../updater.js'
import type { ThreadData } from './protocol.js'

/** An updater that was made of a module, and how to close what was opened for it. */
export interface LoadedUpdater {
  readonly updater: BackgroundUpdater<never>
  readonly close: () => Promise<void>
}

const SUBJECT = 'the module of the worker'

/**
 * Makes the updater of a module: its default export is a configuration, as for `defineConfig`, or a function that
 * returns one or a `BackgroundUpdater`.
 *
 * @throws ConfigurationError when it is neither
 */
export async function loadUpdater({ module, databaseName, data }: ThreadData): Promise<LoadedUpdater> {
  const { default: exported } = (await import(module)) as { default?: unknown }
  const made: unknown = typeof exported === 'function' ? await (exported as (data: unknown) => unknown)(data) : exported
  if (made instanceof BackgroundUpdater) {
    const updater = made as BackgroundUpdater<never>
    return { updater, close: () => updater.database.close() }
  }
  const chosen = choose(configuredDatabases(made, SUBJECT), databaseName)
  const opened = await open(chosen.source, module)
  try {
    const updater = new BackgroundUpdater<never>({
      ...chosen.options,
      database: opened.database,
      databaseName: databaseName ?? chosen.databaseName,
    })
    return { updater, close: opened.close }
  } catch (error) {
    await opened.close()
    throw error
  }
}

// One worker has one database: several are several workers.
function choose(databases: readonly ConfiguredDatabase[], wanted: string | undefined): ConfiguredDatabase {
  const [only, ...others] = databases
  if (only !== undefined && others.length === 0) return only
  const found = databases.find(({ databaseName }) => databaseName === wanted)
  if (found !== undefined) return found
  const names = databases.map(({ databaseName }) => JSON.stringify(databaseName)).join(', ')
  throw new ConfigurationError(SUBJECT, [`it has several databases: name one of ${names} as databaseName`])
}

interface Opened {
  readonly database: Database<never>
  readonly close: () => Promise<void>
}

async function open(source: DatabaseSource | undefined, module: string): Promise<Opened> {
  if (source === undefined) throw new ConfigurationError(SUBJECT, ['it names no database'])
  if (typeof source !== 'string') {
    const database = (typeof source === 'function' ? await source() : source) as unknown as Database<never>
    return { database, close: () => database.close() }
  }
  const location = parseDatabaseUrl(source)
  if ('problem' in location) throw new ConfigurationError(SUBJECT, [`database: ${location.problem}`])
  if (location.dialect === 'sqlite') {
    const { file } = location
    const absolute = file === ':memory:' ? file : path.resolve(path.dirname(fileURLToPath(module)), file)
    const database = fromBetterSqlite3(absolute) as unknown as Database<never>
    return { database, close: () => database.close() }
  }
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: location.url, application_name: 'evenkeel' })
  return { database: fromPg(pool) as unknown as Database<never>, close: () => pool.end() }
}
