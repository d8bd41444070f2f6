import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import type { Database, QueryResult } from 'evenkeel'
import { describe, onTestFinished } from 'vitest'
import { describePostgres } from './postgres.js'
import { temporaryDatabaseFile } from './sqlite.js'

/** A fresh database of either kind for one test. */
export interface EitherDatabase {
  readonly database: Database<never>
  /** Another connection of the same database, as another process would have it. */
  another(): Database<never>
  /** One statement outside any updater. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>
}

export interface EitherContext {
  readonly dialect: 'postgres' | 'sqlite'
  readonly fresh: () => Promise<EitherDatabase>
}

/** The same tests on SQLite and on every PostgreSQL that runs. */
export function describeDatabases(name: string, define: (context: EitherContext) => void): void {
  describe(`${name} (SQLite)`, () => define({ dialect: 'sqlite', fresh: freshSqlite }))
  describePostgres(name, (postgres) => {
    define({
      dialect: 'postgres',
      async fresh() {
        const fresh = await postgres.freshDatabase()
        const database = fromPg(fresh.pool) as unknown as Database<never>
        return {
          database,
          another: () => fromPg(fresh.openPool()) as unknown as Database<never>,
          query: queryOf(database),
        }
      },
    })
  })
}

async function freshSqlite(): Promise<EitherDatabase> {
  const file = temporaryDatabaseFile()
  const open = () => {
    const database = fromBetterSqlite3(file) as unknown as Database<never>
    onTestFinished(() => database.close())
    return database
  }
  const database = open()
  await database.session((session) => session.query('PRAGMA journal_mode = WAL'))
  return { database, another: open, query: queryOf(open()) }
}

function queryOf(database: Database<never>): EitherDatabase['query'] {
  return (text, values) => database.session((session) => session.query(text, values))
}
