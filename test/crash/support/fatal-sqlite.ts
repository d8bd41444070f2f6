import BetterSqlite3 from 'better-sqlite3'
import type { Database } from 'evenkeel'
import { fromBetterSqlite3, type BetterSqlite3Database } from 'evenkeel/better-sqlite3'
import type { Fatal } from './fatal.js'

/** A SQLite file below whose driver every statement is counted. */
export function openFatalSqlite(file: string, fatal: Fatal): Database<never> {
  const real = new BetterSqlite3(file)
  const handle: BetterSqlite3Database = {
    get inTransaction() {
      return real.inTransaction
    },
    prepare(sql) {
      const statement = real.prepare(sql)
      return {
        reader: statement.reader,
        all: (...values) => fatal.around(sql, () => statement.all(...values)),
        run: (...values) => fatal.around(sql, () => statement.run(...values)),
        safeIntegers: (on) => statement.safeIntegers(on),
      }
    },
    exec: (sql) => fatal.around(sql, () => real.exec(sql)),
    pragma: (source, options) => fatal.around(`PRAGMA ${source}`, () => real.pragma(source, options)),
    close: () => real.close(),
  }
  return fromBetterSqlite3(handle) as unknown as Database<never>
}
