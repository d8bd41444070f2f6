/** How long was waited, by reason; bounded by the number of signals, budgets and rules. */
export class WaitingTime {
  readonly #ms = new Map<string, number>()

  add(reason: string, ms: number): void {
    if (ms > 0) this.#ms.set(reason, (this.#ms.get(reason) ?? 0) + ms)
  }

  seconds(): Record<string, number> {
    return Object.fromEntries([...this.#ms].map(([reason, ms]) => [reason, ms / 1_000]))
  }
}
