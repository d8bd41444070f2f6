import type { Query } from '../databases/database.js'
import type { Tables } from '../schema/tables.js'
import { historyStatements } from './history-statements.js'
import { queueStatements } from './statements.js'

/** A row of the queue as a migration would write it. */
export interface NewRow {
  readonly name: string
  readonly progressJson: string
  readonly dependsOn: readonly string[]
  readonly ordering: number
  readonly by: string | null
}

/** Writes a row; false when the name is queued already. */
export async function enqueueRow(query: Query, tables: Tables, row: NewRow): Promise<boolean> {
  const dependsOn = row.dependsOn.length === 0 ? null : row.dependsOn.join(',')
  const values = [row.name, row.progressJson, dependsOn, row.ordering, row.by]
  return (await query(queueStatements(tables).enqueue, values)).rowCount > 0
}

/** Records an update that this database has no work for, so that its name counts as finished and not as a typo. */
export async function recordNotApplicable(query: Query, tables: Tables, name: string, reason: string): Promise<void> {
  await query(historyStatements(tables).rememberUnqueued, [name, 'not applicable', null, reason])
}
