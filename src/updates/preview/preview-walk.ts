import type { Query } from '../../databases/database.js'
import { quoteIdentifier } from '../../databases/identifier.js'
import type { EncodedKey } from '../../keyset/encoding.js'
import { keyOrder, type SqlPart } from '../../keyset/range.js'
import { nextRange, walkBounds, type KeyRange, type WalkPlan } from '../../keyset/walk.js'
import type { Preview, PreviewContext } from './preview.js'

// Small enough that no statement takes long, large enough that a table of millions is looked at within seconds.
const ROWS_A_STEP = 5_000
const SAMPLE = 5
const MAX_COLUMNS = 12
const MAX_LENGTH = 100

/** What a preview looks for. */
export interface Wanted {
  readonly does: Preview['does']
  /** The last key that is done already; null before the first. */
  readonly lower: EncodedKey | null
  /** The rows of a range that would be deleted or changed. */
  readonly predicate: (range: KeyRange) => SqlPart
}

/**
 * Looks for the rows that a walk would delete or change, range by range as the walk itself would take them: no statement
 * reads more than a few thousand rows, and it ends when the time is over or enough was found.
 */
export async function previewWalk(context: PreviewContext, plan: WalkPlan, wanted: Wanted): Promise<Preview> {
  const { does, predicate } = wanted
  const table = `${plan.table.schema}.${plan.table.name}`
  const bounds = await context.step((query) => walkBounds(query, plan))
  let lower = wanted.lower
  let [rows, lookedAt, exact] = [0, 0, false]
  let sample: Preview['sample'] = []
  while (!exact && context.hasTime() && rows <= context.limit) {
    const step = await context.step(async (query) => {
      if (bounds === null) return END
      const range = await nextRange(query, plan, { ...bounds, lower }, ROWS_A_STEP)
      if (range === null || range.rows === 0) return END
      const where = predicate(range)
      const found = await countRows(query, plan, where)
      const missing = found === 0 ? 0 : SAMPLE - sample.length
      return { found, range, first: missing <= 0 ? [] : await firstRows(query, plan, where, missing) }
    })
    if (step === null) break
    rows += step.found
    sample = [...sample, ...step.first]
    lookedAt += step.range?.rows ?? 0
    lower = step.range?.upper ?? lower
    exact = step.range?.last ?? true
  }
  return { does, table, rows, exact, lookedAt, sample }
}

const END = { found: 0, range: null, first: [] }

async function countRows(query: Query, { tableSql }: WalkPlan, { sql, values }: SqlPart): Promise<number> {
  const { rows } = await query<{ found: string }>(
    `
    SELECT CAST(count(*) AS TEXT) AS found
    FROM ${tableSql}
    WHERE ${sql}`,
    values,
  )
  return Number(rows[0]?.found ?? 0)
}

async function firstRows(query: Query, { table, tableSql, key }: WalkPlan, { sql, values }: SqlPart, limit: number) {
  const names = [...key.columns.map(({ name }) => name), ...table.columns.map(({ name }) => name)]
  const columns = [...new Set(names)].slice(0, MAX_COLUMNS)
  const shown = columns.map((name) => {
    const column = quoteIdentifier(name, table.dialect)
    return `${asText(column, table.dialect)} AS ${column}`
  })
  const { rows } = await query<Record<string, string | null>>(
    `
    SELECT ${shown.join(', ')}
    FROM (
      SELECT *
      FROM ${tableSql}
      WHERE ${sql}
      ORDER BY ${keyOrder(key)}
      LIMIT ${limit}
    ) AS evenkeel_sample`,
    values,
  )
  return rows
}

function asText(column: string, dialect: 'postgres' | 'sqlite'): string {
  if (dialect === 'postgres') return `left(${column}::text, ${MAX_LENGTH})`
  const text = `CASE typeof(${column}) WHEN 'blob' THEN 'x''' || hex(${column}) || '''' ELSE CAST(${column} AS TEXT) END`
  return `substr(${text}, 1, ${MAX_LENGTH})`
}
