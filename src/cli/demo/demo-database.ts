import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseDatabaseUrl } from '../../databases/database-url.js'
import type { Query } from '../../databases/database.js'
import { openDatabaseUrl, openPostgres, type OpenedDatabase } from '../config/open-database.js'
import { UsageError } from '../errors.js'

const FOLDER = '.evenkeel-demo'
const FILES = ['places.sqlite', 'places.sqlite-wal', 'places.sqlite-shm', 'places.sqlite-journal']
const SCHEMA = 'evenkeel_demo'

/** Where the demo lives: a SQLite file of its own, or a schema of its own in a PostgreSQL database. */
export interface DemoPlace {
  /** For people. */
  readonly label: string
  /** Schema of the demo's tables and of ours; undefined on SQLite. */
  readonly schema: string | undefined
  open(): Promise<OpenedDatabase>
  /** Removes everything that the demo made there. */
  remove(): Promise<void>
}

/** Only an address that was typed is taken: a DATABASE_URL of the application is no place for a demo. */
export function demoPlace(databaseUrl: string | undefined, cwd: string): DemoPlace {
  if (databaseUrl === undefined) return sqlitePlace(path.join(cwd, FOLDER))
  const location = parseDatabaseUrl(databaseUrl)
  if ('problem' in location) throw new UsageError(`--database: ${location.problem}`)
  if (location.dialect === 'sqlite') {
    throw new UsageError(
      'on SQLite the demo has a file of its own and takes none of yours',
      `Leave --database out, or give postgres://…; the file is ${path.join(FOLDER, 'places.sqlite')}.`,
    )
  }
  return postgresPlace(location.url)
}

function sqlitePlace(folder: string): DemoPlace {
  return {
    label: path.join(FOLDER, 'places.sqlite'),
    schema: undefined,
    async open() {
      mkdirSync(folder, { recursive: true })
      // Nobody wants a hundred megabytes of cities in a repository.
      writeFileSync(path.join(folder, '.gitignore'), '*\n')
      const opened = await openDatabaseUrl(`sqlite:${path.join(folder, 'places.sqlite')}`, { folder, mayCreate: true })
      await opened.database.session(async ({ query }) => {
        await query('PRAGMA journal_mode = WAL')
        await query('PRAGMA synchronous = NORMAL')
      })
      return opened
    },
    async remove() {
      for (const file of FILES) rmSync(path.join(folder, file), { force: true })
    },
  }
}

function postgresPlace(url: string): DemoPlace {
  return {
    label: `the schema ${SCHEMA}`,
    schema: SCHEMA,
    open: () => openPostgres(url, SCHEMA),
    async remove() {
      const opened = await openPostgres(url)
      try {
        await opened.database.session(({ query }) => query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`))
      } finally {
        await opened.close()
      }
    },
  }
}

/** How far the demo in a database is: nothing, loaded, or finished and checked. */
export async function reached(query: Query, schema: string | undefined): Promise<'nothing' | 'loaded' | 'checked'> {
  const { rows } =
    schema === undefined
      ? await query("SELECT 1 FROM sqlite_master WHERE name = 'demo_state'")
      : await query('SELECT 1 WHERE to_regclass($1) IS NOT NULL', [`${schema}.demo_state`])
  if (rows.length === 0) return 'nothing'
  const { rows: states } = await query<{ reached: string }>('SELECT reached FROM demo_state')
  return states.some((state) => state.reached === 'checked') ? 'checked' : 'loaded'
}
