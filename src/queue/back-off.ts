import type { Clock } from '../clock.js'

/** Until when updates are held back, by this process's own clock; the row keeps it for others by the database's. */
export class BackOffs {
  readonly #clock: Clock
  readonly #until = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  set(name: string, ms: number): void {
    this.#until.set(name, this.#clock.nowMs() + ms)
  }

  clear(name: string): void {
    this.#until.delete(name)
  }

  isHeldBack(name: string): boolean {
    const until = this.#until.get(name)
    return until !== undefined && this.#clock.nowMs() < until
  }

  hasPassed(name: string): boolean {
    const until = this.#until.get(name)
    return until !== undefined && this.#clock.nowMs() >= until
  }

  /** Ms until the first of them ends; null when none is pending. */
  nextMs(): number | null {
    const now = this.#clock.nowMs()
    const left = [...this.#until.values()].map((until) => until - now).filter((ms) => ms > 0)
    return left.length === 0 ? null : Math.min(...left)
  }
}
