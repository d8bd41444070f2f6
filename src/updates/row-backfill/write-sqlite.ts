import type { Query } from '../../databases/database.js'
import { quoteIdentifier } from '../../databases/identifier.js'
import { keyEquals, keyParameters } from '../../keyset/range.js'
import type { WalkPlan } from '../../keyset/walk.js'
import type { RowWriter } from './row-writer.js'

/**
 * One prepared statement, run for each row: inside the process that costs less than a join with a list of values, and
 * every value keeps its storage class.
 */
export function sqliteWriter(query: Query, plan: WalkPlan): RowWriter {
  const look = `
    SELECT 1
    FROM ${plan.tableSql}
    WHERE ${keyEquals(plan.key, (_, index) => `$${index + 1}`)}`
  return {
    async write(names, rows) {
      const assignments = names.map((name, index) => `${quoteIdentifier(name, 'sqlite')} = $${index + 1}`)
      const text = `
    UPDATE ${plan.tableSql}
    SET ${assignments.join(',\n      ')}
    WHERE ${keyEquals(plan.key, (_, index) => `$${names.length + index + 1}`)}`
      let changed = 0
      for (const { key, change } of rows) {
        const parameters = [...names.map((name) => change[name]), ...keyParameters(plan.key, key)]
        changed += (await query(text, parameters)).rowCount
      }
      return changed
    },
    async found(rows) {
      let found = 0
      for (const { key } of rows) found += (await query(look, keyParameters(plan.key, key))).rows.length
      return found
    },
  }
}
