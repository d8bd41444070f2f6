import { copyFileSync, existsSync, rmSync } from 'node:fs'
import path from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import type { Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import type { Bench } from '../bench.js'
import type { UpdaterTable } from '../contestants/by-updater.js'

/** The table that is backfilled. */
export interface SqliteShape {
  readonly rows: number
  /** `integer` is the rowid itself; `uuid` is text in an order of its own, in a table WITHOUT ROWID. */
  readonly key: 'integer' | 'uuid'
  readonly indexes: 0 | 3
}

/** The table as contestants get it: a file of its own in WAL mode. */
export interface SqliteSubject extends UpdaterTable {
  readonly shape: SqliteShape
  readonly file: string
}

export const SUBJECT = 'bench_rows'

export const SET_TOTAL = { total: 'COALESCE(total, 0) + amount' }

const INDEXES = ['account', 'label', 'total']

/** A copy of one template file, the same for every contestant. */
export function freshSubject(bench: Bench, shape: SqliteShape): SqliteSubject {
  const template = path.join(bench.directory, `template-${shape.key}-${shape.indexes}-${shape.rows}.sqlite`)
  if (!existsSync(template)) createTemplate(template, shape)
  const file = path.join(bench.directory, 'subject.sqlite')
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
  copyFileSync(template, file)
  return {
    shape,
    file,
    name: SUBJECT,
    set: SET_TOTAL,
    open() {
      const database = fromBetterSqlite3(file)
      return { database: database as unknown as Database<never>, close: () => database.close() }
    },
  }
}

/** Rows that the contestant left out; 0 when it did what it was to do. */
export function rowsLeft({ file }: SqliteSubject): number {
  const database = new BetterSqlite3(file)
  const left = database.prepare<[], number>(`SELECT count(*) FROM ${SUBJECT} WHERE total IS NOT amount`).pluck().get()
  database.close()
  return left ?? Number.NaN
}

function createTemplate(file: string, { rows, key, indexes }: SqliteShape): void {
  const database = new BetterSqlite3(file)
  database.pragma('journal_mode = WAL')
  // The high digits of a hash by Knuth's multiplier: keys come in no order, and none comes twice.
  const id = key === 'integer' ? 'n' : "printf('%08x-%012x', n * 2654435761 % 4294967296, n)"
  database.exec(`
    CREATE TABLE ${SUBJECT} (
      id ${key === 'integer' ? 'INTEGER' : 'TEXT'} PRIMARY KEY NOT NULL,
      account INTEGER NOT NULL,
      label TEXT NOT NULL,
      amount INTEGER NOT NULL,
      touched INTEGER NOT NULL,
      total INTEGER
    )${key === 'integer' ? '' : ' WITHOUT ROWID'};
    WITH RECURSIVE numbers (n) AS (
      SELECT 1
      UNION ALL
      SELECT n + 1
      FROM numbers
      WHERE n < ${rows}
    )
    INSERT INTO ${SUBJECT}
    SELECT ${id}, n % 50000, 'row number ' || n, n % 1000, 0, NULL
    FROM numbers
    ORDER BY 1;
    ${INDEXES.slice(0, indexes)
      .map((column) => `CREATE INDEX bench_${column} ON ${SUBJECT} (${column});`)
      .join('\n')}
    ANALYZE;`)
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
}
