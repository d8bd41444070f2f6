import { requireColumns } from '../../databases/catalogue/table.js'
import type { Query } from '../../databases/database.js'
import { quoteIdentifier } from '../../databases/identifier.js'
import { keyEquals, keyExpression, keyParameters } from '../../keyset/range.js'
import type { WalkPlan } from '../../keyset/walk.js'
import type { ChangedRow } from './map-rows.js'
import { postgresText, textArrayLiteral } from './postgres-text.js'
import type { RowWriter } from './row-writer.js'

// Of the rows that are sent; no column of a user is called so, and the table's name may stand for itself.
const KEY = 'evenkeel_key_'
const VALUE = 'evenkeel_value_'
const KEPT = 'evenkeel_kept_'

/**
 * One statement for all rows. A value's text is cast to the type without its length: only the assignment then tells
 * that it is too long.
 */
export function postgresWriter(query: Query, plan: WalkPlan): RowWriter {
  const keys = plan.key.columns.map((_, index) => `${KEY}${index + 1}`)
  const named = keyEquals(plan.key, (column, index) => `evenkeel_new.${KEY}${index + 1}${column.cast}`)
  // Keys that two rows share find one row between them.
  const look = `
    SELECT count(DISTINCT ${keyExpression(plan.key)})::int AS found
    FROM ${plan.tableSql}, ${sent(keys, [])}
    WHERE ${named}`
  return {
    write: async (names, rows) => {
      const columns = requireColumns(plan.table, names, 'map')
      const values = columns.map((_, index) => `${VALUE}${index + 1}`)
      // Rows that leave a column as it is are told by a flag, where there are any.
      const isKept = ({ change }: ChangedRow, name: string) => !Object.hasOwn(change, name)
      const kept = columns.filter(({ name }) => rows.some((row) => isKept(row, name)))
      const assignments = columns.map((column, index) => {
        const identifier = quoteIdentifier(column.name, 'postgres')
        const value = `evenkeel_new.${VALUE}${index + 1}::${column.castType}`
        const flag = kept.indexOf(column)
        if (flag < 0) return `${identifier} = ${value}`
        const old = `${plan.tableSql}.${identifier}`
        return `${identifier} = CASE WHEN evenkeel_new.${KEPT}${flag + 1} THEN ${old} ELSE ${value} END`
      })
      const flags = kept.map((_, index) => `${KEPT}${index + 1}`)
      const text = `
    UPDATE ${plan.tableSql}
    SET ${assignments.join(',\n      ')}
    FROM ${sent([...keys, ...values], flags)}
    WHERE ${named}`
      const texts = columns.map(({ name, castType }) => rows.map(({ change }) => postgresText(change[name], castType)))
      const flagged = kept.map(({ name }) => rows.map((row) => String(isKept(row, name))))
      return (await query(text, [...keyArrays(plan, rows), ...[...texts, ...flagged].map(textArrayLiteral)])).rowCount
    },
    found: async (rows) => (await query<{ found: number }>(look, keyArrays(plan, rows))).rows[0]?.found ?? 0,
  }
}

function sent(texts: readonly string[], flags: readonly string[]): string {
  const arrays = [...texts.map(() => 'text[]'), ...flags.map(() => 'boolean[]')]
  const parameters = arrays.map((type, index) => `$${index + 1}::text::${type}`)
  return `unnest(${parameters.join(', ')}) AS evenkeel_new (${[...texts, ...flags].join(', ')})`
}

function keyArrays({ key }: WalkPlan, rows: readonly ChangedRow[]): string[] {
  const texts = rows.map((row) => keyParameters(key, row.key) as string[])
  return key.columns.map((_, index) => textArrayLiteral(texts.map((text) => text[index] ?? null)))
}
