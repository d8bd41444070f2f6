import type { Query } from '../../../databases/database.js'
import { EvenkeelError } from '../../../errors.js'
import { RebuildFailedError, RebuildInsideTransactionError } from './errors.js'

/**
 * One transaction on a session in autocommit. It takes the write lock at once: nothing can change between what is read
 * and what is written.
 *
 * @throws RebuildInsideTransactionError when a transaction is open already; that one is left as it is
 */
export async function immediateTransaction<T>(query: Query, table: string, work: () => Promise<T>): Promise<T> {
  try {
    await query('BEGIN IMMEDIATE')
  } catch (error) {
    if (messageOf(error).includes('within a transaction')) throw new RebuildInsideTransactionError(table, error)
    await rollBack(query)
    throw error
  }
  try {
    const result = await work()
    await query('COMMIT')
    return result
  } catch (error) {
    await rollBack(query)
    throw error instanceof EvenkeelError ? error : new RebuildFailedError(table, error)
  }
}

// SQLite ends the transaction by itself after some errors (a full disk), so there may be none to roll back. Should it
// really stay open, the pragmas can't be set back, and that is what the caller is told.
async function rollBack(query: Query): Promise<void> {
  try {
    await query('ROLLBACK')
  } catch {
    return
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}
