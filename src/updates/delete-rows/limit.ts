import type { Query } from '../../databases/database.js'
import { EvenkeelError } from '../../errors.js'
import type { SqlPart } from '../../keyset/range.js'
import type { WalkPlan } from '../../keyset/walk.js'

/** How many rows may go, and how many have gone. */
export interface DeleteLimit {
  readonly updateName: string
  readonly limit: number
  /** Rows that earlier batches deleted. */
  readonly before: number
}

/** More rows fulfil the condition than may be deleted. Earlier batches stay, this one deleted nothing. */
export class DeleteLimitError extends EvenkeelError {
  /** Rows that earlier batches deleted; they stay deleted. */
  readonly deleted: number
  readonly limit: number

  constructor({ updateName, limit, before }: DeleteLimit, found: number) {
    super(
      'DELETE_LIMIT',
      `deleteRows "${updateName}": ${before} rows are deleted, and the next batch would delete ${found} more, ` +
        `which is over maxDeletes (${limit})`,
      {
        hint:
          'Look whether the condition is right: `evenkeel preview` shows what else would go. Then raise maxDeletes, or ' +
          "say 'unlimited', and retry the update. No row over the limit was touched.",
        permanent: true,
      },
    )
    this.deleted = before
    this.limit = limit
  }
}

/**
 * Counts the rows that are about to be deleted, where they could be too many.
 *
 * @throws DeleteLimitError before any of them is touched
 */
export async function refuseTooMany(
  query: Query,
  { tableSql }: WalkPlan,
  predicate: SqlPart,
  rowsInRange: number,
  limit: DeleteLimit,
): Promise<void> {
  // Not even if all of them were to go.
  if (limit.before + rowsInRange <= limit.limit) return
  const { rows } = await query<{ found: string }>(
    `
    SELECT CAST(count(*) AS TEXT) AS found
    FROM ${tableSql}
    WHERE ${predicate.sql}`,
    predicate.values,
  )
  const found = Number(rows[0]?.found ?? 0)
  if (limit.before + found > limit.limit) throw new DeleteLimitError(limit, found)
}
