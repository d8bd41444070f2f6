/** Ends the waiting of whoever waits now; who begins to wait later isn't touched. */
export class WakeUp {
  // Made when somebody waits: it rings with every batch, and mostly nobody does.
  #controller: AbortController | null = null

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  ring(): void {
    this.#controller?.abort()
    this.#controller = null
  }
}
