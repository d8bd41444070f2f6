import BetterSqlite3 from 'better-sqlite3'
import type { Database, QueryResult } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import { onTestFinished } from 'vitest'
import type { PostgresContext } from '../support/postgres.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'

/** A real database whose clock is in our hands: what expires, expires because the database says so. */
export interface Ground {
  readonly dialect: 'postgres' | 'sqlite'
  /** A connection, or pool, of its own for everybody. */
  readonly databases: readonly Database<never>[]
  /** A statement from outside. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>
  /** Sets the database's clock, in ms since 1970. */
  setClock(ms: number): Promise<void>
}

/** For everybody who plays, and one for what happens from outside. */
const CONNECTIONS = 5

export async function sqliteGround(): Promise<Ground> {
  const file = temporaryDatabaseFile()
  let now = 0
  const handles = Array.from({ length: CONNECTIONS }, () => {
    const handle = new BetterSqlite3(file)
    onTestFinished(() => void handle.close())
    handle.pragma('journal_mode = WAL')
    handle.pragma('synchronous = OFF')
    // Our own strftime stands in defaults of columns.
    handle.pragma('trusted_schema = ON')
    handle.function('strftime', { varargs: true }, (_format, _when, modifier) =>
      new Date(Math.round(now + secondsOf(modifier) * 1_000)).toISOString(),
    )
    return handle
  })
  const databases = handles.map((handle) => fromBetterSqlite3(handle) as unknown as Database<never>)
  return {
    dialect: 'sqlite',
    ...ends(databases),
    async setClock(ms) {
      now = ms
    },
  }
}

// `15.0 seconds`, as SQLite's own takes it.
function secondsOf(modifier: unknown): number {
  return typeof modifier === 'string' ? Number.parseFloat(modifier) : 0
}

export async function postgresGround(postgres: PostgresContext): Promise<Ground> {
  const fresh = await postgres.freshDatabase()
  await fresh.pool.query(`
    CREATE SCHEMA test_clock;
    CREATE TABLE test_clock.clock (at TIMESTAMPTZ NOT NULL);
    INSERT INTO test_clock.clock VALUES (to_timestamp(0));
    CREATE FUNCTION test_clock.clock_timestamp() RETURNS timestamptz
      LANGUAGE sql VOLATILE AS 'SELECT at FROM test_clock.clock'`)
  // What stands before pg_catalog is found before it.
  const options = '-c search_path=public,test_clock,pg_catalog -c synchronous_commit=off'
  const databases = Array.from(
    { length: CONNECTIONS },
    () => fromPg(fresh.openPool({ options, max: 4 })) as unknown as Database<never>,
  )
  const { query, ...rest } = ends(databases)
  return {
    dialect: 'postgres',
    query,
    ...rest,
    async setClock(ms) {
      await query('UPDATE test_clock.clock SET at = to_timestamp($1::float8 / 1000)', [ms])
    },
  }
}

function ends(databases: Database<never>[]): Pick<Ground, 'databases' | 'query'> {
  const [outside] = databases
  if (outside === undefined) throw new Error('There are no connections')
  return {
    databases: databases.slice(1),
    query: (text, values) => outside.session((session) => session.query(text, values)),
  }
}
