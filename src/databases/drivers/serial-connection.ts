import { AsyncLocalStorage } from 'node:async_hooks'
import { NestedTransactionError } from '../../errors.js'

interface Turn {
  open: boolean
}

/**
 * Gives the one connection of a SQLite adapter to one piece of work at a time. Between two awaits of a transaction,
 * nobody else's statement may slip into it.
 */
export class SerialConnection {
  // Invariant: the tail settles when everybody who asked before has finished; it never rejects.
  #tail: Promise<unknown> = Promise.resolve()
  readonly #turn = new AsyncLocalStorage<Turn>()

  /** Waits for its turn. Inside somebody's own turn it would wait for itself: that is refused, or run at once. */
  run<T>(work: () => Promise<T>, nested: 'refuse' | 'join'): Promise<T> {
    if (this.#turn.getStore()?.open) {
      return nested === 'join' ? work() : Promise.reject(new NestedTransactionError())
    }
    const turn: Turn = { open: true }
    const result = this.#tail
      .then(() => this.#turn.run(turn, work))
      .finally(() => {
        turn.open = false
      })
    this.#tail = result.catch(() => {})
    return result
  }
}
