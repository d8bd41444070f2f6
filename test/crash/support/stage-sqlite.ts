import BetterSqlite3 from 'better-sqlite3'
import { copyFileSync, existsSync, rmSync } from 'node:fs'
import type { Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { OUR_CONTENT, setUpScript, sorted, type Stage } from './stage.js'

/** A SQLite file, `file`, that begins as a copy of another one. */
export function sqliteStage(file: string): Stage {
  const query = (sql: string) => {
    const handle = new BetterSqlite3(file)
    try {
      const statement = handle.prepare(sql)
      return statement.reader ? (statement.all() as Record<string, unknown>[]) : (statement.run(), [])
    } finally {
      handle.close()
    }
  }
  const rows = async (sql: string) => query(sql)
  return {
    dialect: 'sqlite',
    database: file,
    async reset(scenario) {
      const template = `${file}.${scenario.name}`
      if (!existsSync(template)) {
        const handle = new BetterSqlite3(template)
        handle.pragma('journal_mode = WAL')
        handle.exec(setUpScript(scenario, 'sqlite'))
        handle.close()
      }
      for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
      copyFileSync(template, file)
    },
    open: () => fromBetterSqlite3(file) as unknown as Database<never>,
    expireLeases: async () => {
      query("UPDATE background_updates SET lease_expires_at = '2000-01-01T00:00:00.000Z' WHERE lease_token IS NOT NULL")
    },
    rows,
    async content() {
      const tables = query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
      ).map(({ name }) => String(name))
      const found = tables.filter((table) => !table.startsWith('background_') || table in OUR_CONTENT)
      const contents = found.map((table) => [table, sorted(query(OUR_CONTENT[table] ?? `SELECT * FROM "${table}"`))])
      const schema = sorted(
        query("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name <> 'sqlite_sequence'"),
      )
      return { rows: Object.fromEntries(contents) as Record<string, string[]>, schema }
    },
  }
}
