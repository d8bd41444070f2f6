import { LONGEST_TIMER_MS } from '../clock.js'
import { BatchDeadlineError } from '../errors.js'

/** Cancels a batch that takes too long. On the real clock, for it is the server that would go on working. */
export class Deadline {
  readonly #updateName: string
  readonly #ms: number | undefined
  readonly #controller: AbortController | null
  #timer: NodeJS.Timeout | undefined

  constructor(updateName: string, ms: number | undefined) {
    this.#updateName = updateName
    this.#ms = ms
    this.#controller = ms === undefined ? null : new AbortController()
  }

  /** Null without a deadline. */
  get signal(): AbortSignal | null {
    return this.#controller?.signal ?? null
  }

  start(): void {
    if (this.#ms !== undefined)
      this.#timer = setTimeout(() => this.#controller?.abort(), Math.min(this.#ms, LONGEST_TIMER_MS))
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** The error of a batch that was cancelled by this deadline, or the error that it had anyway. */
  explain(error: unknown): unknown {
    if (this.#ms === undefined || this.#controller?.signal.aborted !== true) return error
    return new BatchDeadlineError(this.#updateName, this.#ms, error)
  }
}
