import Sqlite from 'better-sqlite3'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { onTestFinished } from 'vitest'
import type { Database } from '../../src/databases/database.js'
import {
  addConstraintBySqliteRebuild,
  type SqliteRebuildRequest,
} from '../../src/updates/constraints/sqlite-rebuild/add-constraint.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'

type Request = Pick<SqliteRebuildRequest, 'table' | 'constraint'> & Partial<SqliteRebuildRequest>

export interface RebuildFixture {
  /** The test's own connection, with foreign keys on. */
  readonly raw: Sqlite.Database
  /** The adapter, on a connection of its own to the same file. */
  readonly database: Database
  /** Adds a constraint named `added`, by a rebuild also where ALTER TABLE could do it. */
  readonly add: (request: Request) => Promise<void>
  readonly rows: (sql: string) => unknown[]
}

/** A database file with this schema and data. */
export function openRebuildFixture(script: string): RebuildFixture {
  const file = temporaryDatabaseFile()
  const raw = new Sqlite(file)
  raw.exec(script)
  const database = fromBetterSqlite3(file)
  onTestFinished(async () => {
    await database.close()
    raw.close()
  })
  return {
    raw,
    database,
    add: (request) =>
      addConstraintBySqliteRebuild(database, {
        constraintName: 'added',
        onViolation: 'report',
        method: 'rebuild',
        ...request,
      }),
    rows: (sql) => raw.prepare(sql).raw().all(),
  }
}

/** Everything that is in the database: the schema as it is written, and every row with its rowid. */
export function contentOf(raw: Sqlite.Database): unknown {
  const schema = raw
    .prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name')
    .all() as SchemaRow[]
  return { schema, data: Object.fromEntries(tablesOf(raw).map((table) => [table, dataOf(raw, table)])) }
}

/** Every row of a table by column name, with the rowid where there is one. */
export function dataOf(raw: Sqlite.Database, table: string): unknown[] {
  const name = `"${table.replaceAll('"', '""')}"`
  const { wr } = raw.prepare('SELECT wr FROM pragma_table_list WHERE name = ? AND schema = ?').get(table, 'main') as {
    wr: number
  }
  const rows = raw
    .prepare(`SELECT ${wr === 1 ? '' : 'rowid AS "the rowid", '}* FROM ${name}`)
    .safeIntegers()
    .all()
  return rows.map(inOrder).sort(byText)
}

/** The SQL of everything but tables: what a rebuild must keep to the letter. */
export function dependentsOf(raw: Sqlite.Database): unknown[] {
  return raw
    .prepare(
      "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type <> 'table' AND sql IS NOT NULL ORDER BY type, name",
    )
    .all()
}

export function tableSql(raw: Sqlite.Database, table: string): string {
  return raw.prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?").pluck().get(table) as string
}

interface SchemaRow {
  readonly type: string
  readonly name: string
  readonly sql: string | null
}

function tablesOf(raw: Sqlite.Database): string[] {
  return raw.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all() as string[]
}

function inOrder(row: unknown): unknown {
  return Object.fromEntries(Object.entries(row as object).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function byText(a: unknown, b: unknown): number {
  return textOf(a) < textOf(b) ? -1 : 1
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part))
}
