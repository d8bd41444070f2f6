import type { Query } from '../../../databases/database.js'
import { OrphanedRowsError, type OrphanedRow, ParentKeyError } from './errors.js'

const SAMPLES = 5

/**
 * `PRAGMA foreign_key_check` before the commit, for what the change concerns: every foreign key of the table, and every
 * foreign key that points at it. Damage between other tables is neither ours nor made worse, and doesn't block.
 *
 * @throws OrphanedRowsError naming the rows
 * @throws ParentKeyError for a foreign key that SQLite can't even check
 */
export async function refuseOrphans(query: Query, table: string): Promise<void> {
  const samples: OrphanedRow[] = []
  let count = 0
  const look = async (child: string, parent: string | null): Promise<void> => {
    const found = await orphansOf<OrphanedRow>(query, '"table", rowid, parent', child, parent)
    samples.push(...found)
    if (found.length > 0) count += (await orphansOf<{ n: number }>(query, 'count(*) AS n', child, parent))[0]?.n ?? 0
  }
  await look(table, null)
  for (const child of await tablesReferencing(query, table)) await look(child, table)
  if (count > 0) throw new OrphanedRowsError(table, count, samples.slice(0, SAMPLES))
}

// A virtual table has no foreign keys, and one whose module isn't loaded can't even be asked.
async function tablesReferencing(query: Query, table: string): Promise<string[]> {
  const { rows } = await query<{ name: string }>(
    `SELECT DISTINCT child.name
     FROM main.sqlite_schema AS child, pragma_foreign_key_list(child.name, 'main') AS reference
     WHERE child.type = 'table'
       AND child.sql NOT LIKE 'CREATE VIRTUAL %'
       AND child.name <> $1
       AND reference."table" = $1 COLLATE NOCASE`,
    [table],
  )
  return rows.map((row) => row.name)
}

async function orphansOf<Row>(query: Query, columns: string, child: string, parent: string | null): Promise<Row[]> {
  try {
    const { rows } = await query<Row>(
      `SELECT ${columns}
       FROM pragma_foreign_key_check($1, 'main')
       WHERE $2 IS NULL OR parent = $2 COLLATE NOCASE
       LIMIT ${SAMPLES}`,
      [child, parent],
    )
    return rows
  } catch (error) {
    const reason = error instanceof Error ? error.message : ''
    if (!reason.includes('foreign key mismatch')) throw error
    throw new ParentKeyError(child, reason, error)
  }
}
