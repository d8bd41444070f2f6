import { follow, leave } from '../under-any.js'

/**
 * What cancels a batch: somebody's signal, or a reason of the batch's own. It stays the same from batch to batch until it
 * was needed or somebody else's signal comes: to listen to one anew for each batch costs about as much as its statements.
 */
export class Cancellation {
  // Invariant: aborts with #signal.
  #controller = new AbortController()
  #signal: AbortSignal | null = null

  /** For a batch that `signal` cancels. */
  begin(signal: AbortSignal): AbortController {
    if (signal !== this.#signal || this.#controller.signal.aborted) {
      if (this.#signal !== null) leave(this.#signal, this.#controller)
      this.#controller = new AbortController()
      this.#signal = signal
      follow(signal, this.#controller)
    }
    return this.#controller
  }
}
