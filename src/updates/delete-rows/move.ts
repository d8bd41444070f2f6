import { quoteColumns } from '../../databases/identifier.js'
import { EvenkeelError } from '../../errors.js'
import { keyExpression } from '../../keyset/range.js'
import type { SqlPart } from '../../keyset/range.js'
import type { WalkPlan } from '../../keyset/walk.js'
import type { Query } from '../../databases/database.js'
import type { Keeping } from './keeping.js'

/** Not every row that was to be deleted arrived in the table that keeps them: the batch was rolled back. */
export class RowsNotKeptError extends EvenkeelError {
  constructor(work: string, deleted: number, kept: number) {
    super('ROWS_NOT_KEPT', `${work}: ${deleted} rows were deleted and ${kept} kept, which must be the same`, {
      hint: 'A trigger or rule on one of the two tables drops or adds rows, or ignores the change: remove it, then retry. All of it was rolled back.',
      permanent: true,
    })
  }
}

/** Moves the rows of `predicate` in one statement; resolves to how many. */
export async function movePostgresRows(
  query: Query,
  { tableSql }: WalkPlan,
  keeping: Keeping,
  predicate: SqlPart,
  work: string,
): Promise<number> {
  const columns = quoteColumns(keeping.columns, 'postgres')
  const { rows } = await query<{ deleted: number; kept: number }>(
    `
    WITH evenkeel_deleted AS (
      DELETE FROM ${tableSql}
      WHERE ${predicate.sql}
      RETURNING ${columns}
    ),
    evenkeel_kept AS (
      INSERT INTO ${keeping.tableSql} (${columns})
      OVERRIDING SYSTEM VALUE
      SELECT ${columns}
      FROM evenkeel_deleted
      RETURNING 1
    )
    SELECT (SELECT count(*) FROM evenkeel_deleted)::int AS deleted,
      (SELECT count(*) FROM evenkeel_kept)::int AS kept`,
    predicate.values,
  )
  const { deleted = 0, kept = 0 } = rows[0] ?? {}
  if (deleted !== kept) throw new RowsNotKeptError(work, deleted, kept)
  return deleted
}

/**
 * SQLite has no DELETE inside another statement: the keys are chosen once, so that a condition whose answer changes
 * (`random()`) can't delete a row that wasn't copied.
 */
export async function moveSqliteRows(
  query: Query,
  { tableSql, key }: WalkPlan,
  keeping: Keeping,
  predicate: SqlPart,
  work: string,
): Promise<number> {
  const columns = quoteColumns(keeping.columns, 'sqlite')
  const keyColumns = key.columns.map((column) => column.identifier).join(', ')
  const chosenColumns = key.columns.map((_, index) => `key_${index + 1}`).join(', ')
  const chosen = `temp.evenkeel_chosen_${key.columns.length}`
  await query(`CREATE TEMP TABLE IF NOT EXISTS evenkeel_chosen_${key.columns.length} (${chosenColumns})`)
  await query(`DELETE FROM ${chosen}`)
  await query(
    `INSERT INTO ${chosen} (${chosenColumns})
     SELECT ${keyColumns}
     FROM ${tableSql}
     WHERE ${predicate.sql}`,
    predicate.values,
  )
  const isChosen = `${keyExpression(key)} IN (SELECT ${chosenColumns} FROM ${chosen})`
  // ABORT stands above what constraints of the table say ON CONFLICT: REPLACE would take a row that was kept before.
  const kept = await query(
    `INSERT OR ABORT INTO ${keeping.tableSql} (${columns})
     SELECT ${columns}
     FROM ${tableSql}
     WHERE ${isChosen}`,
  )
  const deleted = await query(
    `DELETE FROM ${tableSql}
     WHERE ${isChosen}`,
  )
  await query(`DELETE FROM ${chosen}`)
  if (deleted.rowCount !== kept.rowCount) throw new RowsNotKeptError(work, deleted.rowCount, kept.rowCount)
  return deleted.rowCount
}
