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
  // Invariant: the turn whose work runs; a closed one between turns.
  #running: Turn = { open: false }
  // Before Node 24 every promise of the process is dearer while it is in use: only foreign code runs in it.
  readonly #turn = new AsyncLocalStorage<Turn>()

  /** Waits for its turn. Inside somebody's own turn it would wait for itself: that is refused, or run at once. */
  run<T>(work: () => Promise<T>, nested: 'refuse' | 'join'): Promise<T> {
    if (this.#isInside()) return nested === 'join' ? work() : Promise.reject(new NestedTransactionError())
    const turn: Turn = { open: true }
    const result = this.#tail
      .then(() => {
        this.#running = turn
        return work()
      })
      .finally(() => {
        turn.open = false
      })
    this.#tail = result.catch(() => {})
    return result
  }

  /** Code that isn't the driver's or the engine's own, in the turn that runs: what it asks for comes from inside of it. */
  async foreign<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#running.open || this.#isInside()) return work()
    try {
      return await this.#turn.run(this.#running, work)
    } finally {
      this.#turn.disable()
    }
  }

  #isInside(): boolean {
    return this.#turn.getStore()?.open === true
  }
}
