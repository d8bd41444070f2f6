import type { Clock } from '../clock.js'

/** Until when updates are held back, by this process's own clock; the row keeps it for others by the database's. */
export class BackOffs {
  readonly #clock: Clock
  readonly #until = new Map<string, { readonly ms: number; readonly retryAt: string | null }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `retryAt` is the same moment as the row has it; null when the row knows nothing of this back-off. */
  set(name: string, ms: number, retryAt: string | null = null): void {
    this.#until.set(name, { ms: this.#clock.nowMs() + ms, retryAt })
  }

  clear(name: string): void {
    this.#until.delete(name)
  }

  /** `attempts` is the row's: none means that somebody, perhaps elsewhere, has cleared its failures. */
  isHeldBack(name: string, attempts: number): boolean {
    const until = this.#until.get(name)
    if (until === undefined || (until.retryAt !== null && attempts === 0)) return false
    return this.#clock.nowMs() < until.ms
  }

  /** Whether the back-off that the row counts until `retryAt` is ours and over; another runner's is not ours to end. */
  hasPassed(name: string, retryAt: string): boolean {
    const until = this.#until.get(name)
    return until !== undefined && until.retryAt === retryAt && this.#clock.nowMs() >= until.ms
  }

  /** Ms until the first of them ends; null when none is pending. */
  nextMs(): number | null {
    const now = this.#clock.nowMs()
    const left = [...this.#until.values()].map((until) => until.ms - now).filter((ms) => ms > 0)
    return left.length === 0 ? null : Math.min(...left)
  }
}
