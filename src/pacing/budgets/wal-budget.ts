import type { PaceContext, Pause } from '../pace.js'

/** The signal that counts all WAL that the server ever wrote. */
const WAL_BYTES = 'wal bytes'
const HOUR_MS = 3_600_000
/** So much may be saved up, in ms of the budget: work in bursts isn't held for every one. */
const SAVED_MS = 60_000

/**
 * WAL an hour as a bucket: it fills with the budget, up to a minute's worth, and every byte of WAL leaves it, whoever
 * wrote it. While it is empty no batch starts.
 */
export class WalBudget {
  readonly bytesPerHour: number
  /** Bytes that may be written now: at most a minute's worth, and never deeper in debt than an hour. */
  #left: number
  #last: { readonly readMs: number; readonly bytes: number } | null = null

  constructor(bytesPerHour: number) {
    this.bytesPerHour = bytesPerHour
    this.#left = this.#during(SAVED_MS)
  }

  beforeBatch({ readings, nowMs }: PaceContext): Pause {
    const reading = readings.find(({ signal }) => signal === WAL_BYTES)
    if (reading && reading.value !== null && reading.lastReadMs !== null) this.#take(reading.lastReadMs, reading.value)
    const sinceMs = this.#last === null ? 0 : Math.max(0, nowMs - this.#last.readMs)
    const left = this.#left + this.#during(sinceMs)
    const ms = left >= 0 ? 0 : (-left / this.bytesPerHour) * HOUR_MS
    const why = `the budget is ${megabytes(this.bytesPerHour)} of WAL an hour, and ${megabytes(-left)} more were written`
    return { ms, reason: 'WAL budget', why }
  }

  #take(readMs: number, bytes: number): void {
    if (this.#last !== null && readMs <= this.#last.readMs) return
    if (this.#last !== null && bytes >= this.#last.bytes) {
      const left = this.#left + this.#during(readMs - this.#last.readMs) - (bytes - this.#last.bytes)
      this.#left = Math.min(this.#during(SAVED_MS), Math.max(-this.bytesPerHour, left))
    }
    this.#last = { readMs, bytes }
  }

  #during(ms: number): number {
    return (this.bytesPerHour * ms) / HOUR_MS
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(bytes < 10 * 1_048_576 ? 1 : 0)} MB`
}
