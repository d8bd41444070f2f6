import { kindWords, type TableDescription } from '../../databases/catalogue/table-description.js'
import { quoteColumns, quoteTable, tableLabel, type TableName } from '../../databases/identifier.js'
import { EvenkeelError, SchemaMismatchError } from '../../errors.js'
import { keyExpression } from '../../keyset/range.js'
import type { SqlPart } from '../../keyset/range.js'
import type { WalkPlan } from '../../keyset/walk.js'
import type { Query } from '../../databases/database.js'

/** Where deleted rows are kept, and which columns are copied there. */
export interface Keeping {
  readonly tableSql: string
  readonly columns: readonly string[]
}

/** Not every row that was to be deleted arrived in the table that keeps them: the batch was rolled back. */
export class RowsNotKeptError extends EvenkeelError {
  constructor(updateName: string, deleted: number, kept: number) {
    super(
      'ROWS_NOT_KEPT',
      `deleteRows "${updateName}": ${deleted} rows were deleted and ${kept} kept, which must be the same`,
      {
        hint: 'A trigger or rule on one of the two tables drops or adds rows, or ignores the change: remove it, then retry. All of it was rolled back.',
        permanent: true,
      },
    )
  }
}

/**
 * Holds the table that is to keep the rows against the one they come from.
 *
 * @throws SchemaMismatchError when a value would be lost or changed
 */
export function planKeeping(from: TableDescription, keep: TableDescription, keepIn: TableName): Keeping {
  const subject = `table ${tableLabel(keepIn)} (keepIn)`
  if (keep.schema === from.schema && keep.name === from.name) {
    throw new SchemaMismatchError(
      subject,
      'it is the table that the rows are deleted from',
      'Name another table in keepIn.',
    )
  }
  if (keep.kind !== 'table' && keep.kind !== 'partitioned table') {
    throw new SchemaMismatchError(subject, `it is ${kindWords(keep)}`, 'Name a table of the same shape in keepIn.')
  }
  if (
    from.foreignKeys.some(
      (key) => key.cascades && key.references.schema === from.schema && key.references.name === from.name,
    )
  ) {
    throw new SchemaMismatchError(
      `table ${from.name}`,
      'it refers to itself with ON DELETE CASCADE, so rows would be deleted that are not kept',
      'Make that foreign key ON DELETE NO ACTION, or delete without keepIn.',
    )
  }
  const columns: string[] = []
  for (const column of from.columns) {
    const other = keep.columns.find((candidate) => candidate.name === column.name)
    if (other !== undefined && other.generated === null) {
      if (other.type.toLowerCase() !== column.type.toLowerCase()) {
        throw new SchemaMismatchError(
          subject,
          `its column "${column.name}" is of type ${other.type || '(none)'}, not ${column.type || '(none)'}`,
          'Give the column the same type, so that every value is kept as it is.',
        )
      }
      columns.push(column.name)
    } else if (column.generated === null) {
      throw new SchemaMismatchError(
        subject,
        other === undefined ? `it has no column "${column.name}"` : `its column "${column.name}" is generated`,
        `Add the column with type ${column.type || '(none)'}, so that every value is kept.`,
      )
    }
  }
  return { tableSql: quoteTable({ schema: keep.schema, name: keep.name }, keep.dialect), columns }
}

/** Moves the rows of `predicate` in one statement; resolves to how many. */
export async function movePostgresRows(
  query: Query,
  { tableSql }: WalkPlan,
  keeping: Keeping,
  predicate: SqlPart,
  updateName: string,
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
  if (deleted !== kept) throw new RowsNotKeptError(updateName, deleted, kept)
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
  updateName: string,
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
  const kept = await query(
    `INSERT INTO ${keeping.tableSql} (${columns})
     SELECT ${columns}
     FROM ${tableSql}
     WHERE ${isChosen}`,
  )
  const deleted = await query(
    `DELETE FROM ${tableSql}
     WHERE ${isChosen}`,
  )
  await query(`DELETE FROM ${chosen}`)
  if (deleted.rowCount !== kept.rowCount) throw new RowsNotKeptError(updateName, deleted.rowCount, kept.rowCount)
  return deleted.rowCount
}
