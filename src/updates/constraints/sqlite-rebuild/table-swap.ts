import type { TableDescription } from '../../../databases/catalogue/table.js'
import { describeTable } from '../../../databases/catalogue/table.js'
import type { Query } from '../../../databases/database.js'
import { quoteIdentifier } from '../../../databases/identifier.js'
import { parseCreateTable } from './create-table.js'
import { withName } from './derive-table.js'
import type { RebuildableTable } from './rebuildable-table.js'
import { copyRows } from './rows-copy.js'

/**
 * Steps 3 to 8 of "Making Other Kinds Of Table Schema Changes" (https://sqlite.org/lang_altertable.html): create the new
 * table under a free name, copy the rows, drop the old one, rename the new one, and create indexes and triggers again.
 * Views, triggers of other tables and foreign keys that point here refer to the table by its name and aren't touched.
 *
 * Wants an open transaction, foreign keys off and `legacy_alter_table` on.
 */
export async function swapTable(query: Query, old: RebuildableTable, newSql: string): Promise<void> {
  const dependents = await readDependents(query, old.name)
  const name = await freeName(query, old.name)
  await query(withName(parseCreateTable(newSql), name))
  const created: TableDescription = await describeTable({ query, dialect: 'sqlite' }, { schema: 'main', name })
  await copyRows(query, old.description, created)
  await keepAutoincrement(query, old.name, name)
  const statistics = await statisticsTables(query)
  for (const table of statistics) await renameStatistics(query, table, old.name, name)
  await query(`DROP TABLE main.${quoteIdentifier(old.name, 'sqlite')}`)
  await query(`ALTER TABLE main.${quoteIdentifier(name, 'sqlite')} RENAME TO ${quoteIdentifier(old.name, 'sqlite')}`)
  for (const sql of dependents) await query(sql)
  for (const table of statistics) await renameStatistics(query, table, name, old.name)
  // Reads the statistics again; it analyses nothing.
  if (statistics.length > 0) await query('ANALYZE main.sqlite_schema')
}

// Those that UNIQUE and PRIMARY KEY make have no SQL and come by themselves. In the order in which they were made.
async function readDependents(query: Query, table: string): Promise<string[]> {
  const { rows } = await query<{ sql: string }>(
    `SELECT sql
     FROM main.sqlite_schema
     WHERE tbl_name = $1 COLLATE NOCASE AND type IN ('index', 'trigger') AND sql IS NOT NULL
     ORDER BY rowid`,
    [table],
  )
  return rows.map((row) => row.sql)
}

async function freeName(query: Query, table: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const name = attempt === 1 ? `new_${table}` : `new_${table}_${attempt}`
    const { rows } = await query(
      `SELECT name FROM main.sqlite_schema WHERE name = $1 COLLATE NOCASE
       UNION ALL
       SELECT name FROM temp.sqlite_schema WHERE name = $1 COLLATE NOCASE`,
      [name],
    )
    if (rows.length === 0) return name
  }
}

// The mark is the highest rowid ever given out, which may be gone by now: it must not be given out again.
async function keepAutoincrement(query: Query, from: string, to: string): Promise<void> {
  if (!(await exists(query, 'sqlite_sequence'))) return
  await query(
    `UPDATE main.sqlite_sequence
     SET seq = max(seq, (SELECT seq FROM main.sqlite_sequence WHERE name = $1))
     WHERE name = $2 AND EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = $1)`,
    [from, to],
  )
  // A table whose rows were all deleted got no mark from the copy.
  await query(
    `INSERT INTO main.sqlite_sequence (name, seq)
     SELECT $2, seq
     FROM main.sqlite_sequence
     WHERE name = $1 AND NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = $2)`,
    [from, to],
  )
}

async function statisticsTables(query: Query): Promise<string[]> {
  const found: string[] = []
  for (const table of ['sqlite_stat1', 'sqlite_stat4']) if (await exists(query, table)) found.push(table)
  return found
}

// DROP TABLE drops the statistics, and without them the planner could choose other plans from one moment to the next.
async function renameStatistics(query: Query, statistics: string, from: string, to: string): Promise<void> {
  await query(`UPDATE main.${statistics} SET tbl = $2 WHERE tbl = $1`, [from, to])
}

async function exists(query: Query, table: string): Promise<boolean> {
  return (await query('SELECT 1 FROM main.sqlite_schema WHERE name = $1', [table])).rows.length > 0
}
