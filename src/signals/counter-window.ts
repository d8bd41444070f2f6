interface Look {
  readonly atMs: number
  readonly value: number
}

/**
 * The rate of a counter over the last while, from looks at it. A counter that goes backwards was reset, or the server
 * was restarted: what was before doesn't count.
 */
export class CounterWindow {
  readonly #windowMs: number
  // Invariant: in the order of time, never falling, the first one no further back than one look beyond the window.
  #looks: Look[] = []

  /** `windowMs` is how far back the rate looks, in ms. */
  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** How far back the last rate looked, in ms. */
  get spanMs(): number {
    return (this.#looks.at(-1)?.atMs ?? 0) - (this.#looks[0]?.atMs ?? 0)
  }

  /** The rate per second, or null when it takes another look. */
  perSecond(value: number, atMs: number): number | null {
    const last = this.#looks.at(-1)
    if (last !== undefined && (value < last.value || atMs < last.atMs)) this.#looks = []
    this.#looks.push({ atMs, value })
    while (this.#looks.length > 2 && (this.#looks[1]?.atMs ?? atMs) <= atMs - this.#windowMs) this.#looks.shift()
    const first = this.#looks[0]
    if (first === undefined || atMs <= first.atMs) return null
    return ((value - first.value) / (atMs - first.atMs)) * 1_000
  }
}
