import type { Logger } from '../../observe/logger.js'
import type { Dialect, QueryResult } from '../../databases/database.js'
import { describe, wholeNumberProblems } from '../../options.js'
import type { EncodedKey } from '../../keyset/encoding.js'
import type { UpdateIdentity } from '../definition.js'
import { columnListProblems, sqlProblems, walkProblems, type WalkOptions } from '../walk/options.js'

/** The rows of one batch, for a statement of the user's own. */
export interface BackfillRange {
  /**
   * The predicate, `"id" > '17'::text::bigint AND "id" <= '117'::text::bigint`, and `where` if there is one. Its bounds
   * are literals, so it has no placeholders: it fits into any statement, whoever runs it.
   */
  readonly sql: string
  /** How many rows are in the range. */
  readonly rows: number
  /** The last key of the range, as the progress keeps it. */
  readonly upper: EncodedKey
  /** The same predicate with the key columns qualified by a table's name or alias, for joins. */
  readonly qualified: (alias: string) => string
}

/** Runs a statement in the batch's transaction, on either database. */
export interface RunSql {
  /** Your own values are for the placeholders `$1`, `$2`, … */
  <Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>
  /** As the tag of a template: what is put in becomes a parameter, but for the range's predicate, which is SQL. */
  <Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: unknown[]): Promise<QueryResult<Row>>
}

/** What `run` is given. */
export interface BackfillRun<Tx> {
  /** ``sql(`UPDATE t SET x = $1 WHERE ${range.sql}`, [1])``, or ``sql`UPDATE t SET x = ${1} WHERE ${range.sql}` ``. */
  readonly sql: RunSql
  /** The driver's own transaction, for its own ways to run a statement. */
  readonly tx: Tx
  readonly range: BackfillRange
  readonly signal: AbortSignal
  readonly log: Logger
  readonly update: UpdateIdentity
  readonly dialect: Dialect
}

export interface BackfillOptions<Tx> extends WalkOptions {
  /** Column → SQL expression over the row, as `{ email_lower: 'lower(email)' }`. Either this or `run`. */
  readonly set?: Readonly<Record<string, string>>
  /**
   * Any work over a range of rows. It may return how many rows it changed, else the statements of `sql` and a returned
   * result of the driver are counted; a string that it returns is run as the statement. It must leave the key alone.
   */
  readonly run?: (batch: BackfillRun<Tx>) => unknown
  /** Walk on over rows that are added meanwhile, until none is left. Default false: the end is fixed at the start. */
  readonly follow?: boolean
  /**
   * SQL condition for rows that are still wrong. After the walk they are looked for in the whole table and repaired by
   * `set` or `run`, whatever `where` says; so a condition of `where` that matters has to be repeated here.
   */
  readonly verify?: string
  /** Times the whole table is gone over to repair what `verify` finds, before a last look decides. Default 3. */
  readonly maxVerifyPasses?: number
}

export const BACKFILL_OPTIONS = ['set', 'run', 'follow', 'verify', 'maxVerifyPasses']

export function backfillProblems<Tx>(options: BackfillOptions<Tx>): string[] {
  const { set, run, follow, verify, maxVerifyPasses } = options ?? {}
  const problems = walkProblems(options)
  if (set === undefined && run === undefined) problems.push('set or run is needed')
  if (set !== undefined && run !== undefined) problems.push('set and run exclude each other')
  if (set !== undefined) problems.push(...setProblems(set))
  if (run !== undefined && typeof run !== 'function') problems.push(`run must be a function, not ${describe(run)}`)
  if (follow !== undefined && typeof follow !== 'boolean') {
    problems.push(`follow must be true or false, not ${describe(follow)}`)
  }
  if (verify !== undefined) problems.push(...sqlProblems('verify', verify))
  if (verify === undefined && maxVerifyPasses !== undefined) problems.push('maxVerifyPasses needs verify')
  return [...problems, ...wholeNumberProblems('maxVerifyPasses', maxVerifyPasses)]
}

function setProblems(set: unknown): string[] {
  if (typeof set !== 'object' || set === null || Array.isArray(set)) {
    return [`set must be an object of column → SQL expression, not ${describe(set)}`]
  }
  return [
    ...columnListProblems('set', Object.keys(set)),
    ...Object.entries(set).flatMap(([column, sql]) => sqlProblems(`set.${column}`, sql)),
  ]
}
