import { TransactionEndedError, TransactionRolledBackError, type EvenkeelError } from '../../errors.js'
import { messageOf } from '../../thrown.js'
import { sqliteCode } from './sqlite-errors.js'

/**
 * Watches that a transaction of SQLite is still the open one. RAISE(ROLLBACK), ON CONFLICT ROLLBACK and some errors, a
 * full disk for instance, end the whole transaction, and the connection is in autocommit then: each further statement
 * would be committed by itself, and COMMIT would be none.
 */
export class SqliteTransaction {
  readonly #isOpen: () => boolean
  // Invariant: once set, no statement runs any more.
  #ended: EvenkeelError | null = null

  constructor(isOpen: () => boolean) {
    this.#isOpen = isOpen
  }

  /**
   * Runs a statement in the transaction, and not outside of it.
   *
   * @throws TransactionRolledBackError when an error has ended the transaction, now or before
   * @throws TransactionEndedError when something else has
   */
  run<T>(text: string, statement: () => T): T {
    this.#requireOpen()
    const result = this.#watched(statement)
    // Only these two can end it and succeed.
    if (!this.#isOpen()) throw this.#end(new TransactionEndedError(/\brollback\b/i.test(text) ? 'ROLLBACK' : 'COMMIT'))
    return result
  }

  /** The same for the COMMIT of whoever began the transaction. */
  commit(statement: () => void): void {
    this.#requireOpen()
    this.#watched(statement)
  }

  /** What to report when the function of the transaction threw `error`. */
  explain(error: unknown): unknown {
    // An error of the function's own that follows on a rollback is the one to tell: a rollback is what it wants.
    if (this.#isOpen() || error === this.#ended || this.#ended instanceof TransactionRolledBackError) return error
    const then = { cause: error, reason: messageOf(error) }
    if (this.#ended instanceof TransactionEndedError) return new TransactionEndedError(this.#ended.by, then)
    // On the driver's own handle nobody watched.
    return sqliteCode(error) !== null
      ? new TransactionRolledBackError({ ...then, watched: false })
      : new TransactionEndedError(null, then)
  }

  #requireOpen(): void {
    if (this.#ended !== null) throw this.#ended
    if (!this.#isOpen()) throw this.#end(new TransactionEndedError(null))
  }

  #watched<T>(statement: () => T): T {
    try {
      return statement()
    } catch (error) {
      if (this.#isOpen()) throw error
      throw this.#end(new TransactionRolledBackError({ cause: error, reason: messageOf(error), watched: true }))
    }
  }

  #end(error: EvenkeelError): EvenkeelError {
    this.#ended = error
    return error
  }
}
