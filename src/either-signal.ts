/**
 * `AbortSignal.any` of two signals, kept for as long as they are the same two: it is wanted before every batch, and
 * making one costs some µs. Each that is made leaves an entry on both until they are gone, so the two must change seldom.
 */
export class EitherSignal {
  #one: AbortSignal | null = null
  #other: AbortSignal | null = null
  #either: AbortSignal | null = null

  of(one: AbortSignal, other: AbortSignal): AbortSignal {
    if (this.#either === null || one !== this.#one || other !== this.#other) {
      this.#one = one
      this.#other = other
      this.#either = AbortSignal.any([one, other])
    }
    return this.#either
  }
}
