import { COMMIT_TIME, type Gauge } from './gauges.js'

/** So many commits are compared with as many at the start. */
const SAMPLES = 9
/** The limit: so many times the median at the start, but at least so many ms. */
const LIMIT_TIMES = 8
const LEAST_LIMIT_MS = 20
/** Samples that are older say nothing of now. */
const FRESH_MS = 3_000

/** Our own COMMIT as a gauge: when the disk is busy, it is the first to feel it. */
export class CommitTime {
  /** The newest, oldest first, at most SAMPLES. */
  readonly #recent: number[] = []
  /** The lowest median so far: a start under load isn't taken for the normal; null before the first. */
  #calmMs: number | null = null
  #lastMs = Number.NEGATIVE_INFINITY

  add(commitMs: number, nowMs: number): void {
    if (!Number.isFinite(commitMs) || commitMs < 0) return
    if (nowMs - this.#lastMs > FRESH_MS) this.#recent.length = 0
    this.#lastMs = nowMs
    this.#recent.push(commitMs)
    if (this.#recent.length > SAMPLES) this.#recent.shift()
    if (this.#recent.length < SAMPLES) return
    const median = medianOf(this.#recent)
    this.#calmMs = this.#calmMs === null ? median : Math.min(this.#calmMs, median)
  }

  /** Null until there is something to compare. It slows down and never stops: who rests would never learn of calm. */
  gauge(nowMs: number): Gauge | null {
    if (this.#calmMs === null || this.#recent.length < SAMPLES || nowMs - this.#lastMs > FRESH_MS) return null
    const value = medianOf(this.#recent)
    const limitMs = Math.max(LEAST_LIMIT_MS, LIMIT_TIMES * this.#calmMs)
    const why = `COMMIT takes ${value.toFixed(1)} ms, ${this.#calmMs.toFixed(1)} ms at its best (limit ${limitMs.toFixed(0)} ms)`
    return { name: COMMIT_TIME, utilisation: Math.min(1, value / limitMs), stops: false, value, why }
  }
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
