import type { Query } from '../../databases/database.js'
import { enqueueRow, recordNotApplicable, type NewRow } from '../../queue/enqueue.js'
import { historyStatements } from '../../queue/history-statements.js'
import { queueStatements } from '../../queue/statements.js'
import type { Tables } from '../../schema/tables.js'

const NOTHING_LEFT = 'the table was rebuilt with the constraint, so every row obeys it'

/** Sees to it that a constraint will be validated: its row is in the queue, or it is valid and was finished before. */
export async function ensureQueued(
  query: Query,
  tables: Tables,
  row: NewRow,
  { validated }: { readonly validated: boolean },
): Promise<'enqueued' | 'queued' | 'finished'> {
  if (validated && (await isAmong(query, historyStatements(tables).finishedAmong, row.name))) return 'finished'
  return (await enqueueRow(query, tables, row)) ? 'enqueued' : 'queued'
}

/** Records once that nothing is left to validate. */
export async function ensureRecorded(
  query: Query,
  tables: Tables,
  name: string,
): Promise<'not applicable' | 'finished' | 'queued'> {
  const statements = queueStatements(tables)
  const history = historyStatements(tables)
  if (await isAmong(query, statements.queuedAmong, name)) {
    // A row that a person or an older migration wrote: what it asks for is done.
    await query(history.remember, [name, 'not applicable', null, NOTHING_LEFT, null, 0, 0, 0])
    await query(statements.deleteAny, [name])
    return 'not applicable'
  }
  if (await isAmong(query, history.finishedAmong, name)) return 'finished'
  await recordNotApplicable(query, tables, name, NOTHING_LEFT)
  return 'not applicable'
}

async function isAmong(query: Query, statement: string, name: string): Promise<boolean> {
  return (await query(statement, [JSON.stringify([name])])).rows.length > 0
}
