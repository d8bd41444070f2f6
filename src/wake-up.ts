/** Ends the waiting of whoever waits now; who begins to wait later isn't touched. */
export class WakeUp {
  #controller = new AbortController()

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  ring(): void {
    this.#controller.abort()
    this.#controller = new AbortController()
  }
}
