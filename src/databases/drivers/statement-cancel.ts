/**
 * Cancels what a connection runs, and goes on with it until the connection is given back: a cancel that arrives between
 * two statements does nothing, and the next statement would run to its end.
 */
export class StatementCancel {
  readonly #send: () => Promise<unknown>
  readonly #repeatMs: number | null
  #timer: NodeJS.Timeout | undefined
  // The cancel that is under way, or null.
  #underWay: Promise<unknown> | null = null

  /** `repeatMs` null cancels once only. */
  constructor(send: () => Promise<unknown>, repeatMs: number | null) {
    this.#send = send
    this.#repeatMs = repeatMs
  }

  readonly start = (): void => {
    this.#cancel()
    if (this.#repeatMs !== null) this.#timer = setInterval(() => this.#cancel(), this.#repeatMs)
  }

  /** Sends no more. The promise of the last one, when it is still under way: it could hit whoever comes next. */
  stop(): Promise<unknown> | null {
    clearInterval(this.#timer)
    return this.#underWay
  }

  #cancel(): void {
    this.#underWay ??= this.#send()
      .catch(() => {})
      .finally(() => {
        this.#underWay = null
      })
  }
}
