import { TransactionEndedError } from '../../errors.js'
import { messageOf } from '../../thrown.js'
import type { PgClient } from './pg-client.js'

/**
 * Watches that transactions stay open while their functions run: behind a COMMIT or ROLLBACK of the handler's, or of an
 * ORM's that it gave `tx` to, each further statement would be committed by itself, the progress of the batch too. `pg`
 * can tell that from 8.21 on; with an older one nothing is watched.
 */
export class PgTransactions {
  // Clients whose function runs.
  readonly #watched = new WeakSet<PgClient>()

  /**
   * Runs the function of a transaction, which must leave it open.
   *
   * @throws TransactionEndedError when it didn't
   */
  async run<T>(client: PgClient, fn: () => Promise<T>): Promise<T> {
    this.#watched.add(client)
    try {
      const result = await fn()
      this.requireOpen(client)
      return result
    } catch (error) {
      if (!hasEnded(client) || error instanceof TransactionEndedError) throw error
      throw new TransactionEndedError(null, { cause: error, reason: messageOf(error) })
    } finally {
      this.#watched.delete(client)
    }
  }

  /**
   * Before a statement, or behind the one with this text; no matter on a client that has no transaction of ours.
   *
   * @throws TransactionEndedError when the transaction isn't open any more
   */
  requireOpen(client: PgClient, behind?: string): void {
    if (!this.#watched.has(client) || !hasEnded(client)) return
    if (behind === undefined) throw new TransactionEndedError(null)
    throw new TransactionEndedError(/\brollback\b/i.test(behind) ? 'ROLLBACK' : 'COMMIT')
  }
}

function hasEnded(client: PgClient & { getTransactionStatus?(): unknown }): boolean {
  return client.getTransactionStatus?.() === 'I'
}
