import type { JsonValue } from '../json.js'
import { batchBounds, clampToBounds, type BatchBounds } from './batch-bounds.js'
import { DecisionRing } from './decision-ring.js'
import type { Tuner, TunerContext, TunerDecision, TunerFactory, TunerSample } from './tuner.js'

const WEIGHT = 0.1
const DECISIONS_KEPT = 50

/**
 * The classic: rate = average items / average ms of recent batches, next size = trunc(target × rate).
 *
 * Both averages are exponential with weight 0.1 and start from 0. Simple and predictable, but it takes some 30 batches
 * to recover when rows become ten times dearer, and one stray batch shrinks the next twenty; `guardedTuner()`, the
 * default, does better at both. It takes the whole `durationMs`, overhead included. Batches without items are not
 * counted, and until a batch took measurable time it keeps to `defaultBatchSize`.
 *
 * @example
 * import { BackgroundUpdater, emaTuner, type Database } from 'evenkeel'
 *
 * export const updaterOf = (database: Database) => new BackgroundUpdater({ database, tuner: emaTuner() })
 */
export function emaTuner(): TunerFactory {
  return (context) => new EmaTuner(context)
}

interface Averages {
  readonly items: number
  readonly ms: number
}

class EmaTuner implements Tuner {
  readonly #context: TunerContext
  readonly #bounds: BatchBounds
  readonly #decisions = new DecisionRing<TunerDecision>(DECISIONS_KEPT)
  /** Both finite and ≥ 0; both 0 until the first batch that had items. */
  #averages: Averages
  /** The target of the batch that runs now, in ms. */
  #targetMs: number
  /** The last answer, an integer within the bounds. */
  #size: number

  constructor(context: TunerContext) {
    this.#context = context
    this.#bounds = batchBounds(context)
    this.#targetMs = context.targetMs
    const saved = readAverages(context.saved)
    this.#averages = saved ?? { items: 0, ms: 0 }
    this.#size = this.#sizeFor(this.#targetMs)
    this.#decide(
      this.#size,
      saved === null ? 'first' : 'resume',
      null,
      saved === null ? 'nothing is measured yet: the default size' : 'goes on with the rate that was saved',
    )
  }

  next(targetMs?: number): number {
    const target = targetMs !== undefined && targetMs > 0 ? targetMs : this.#context.targetMs
    const size = this.#sizeFor(target)
    if (target !== this.#targetMs) {
      this.#targetMs = target
      if (size !== this.#size) this.#decide(size, 'target', null, `the target is ${target} ms now`)
    }
    return size
  }

  record(sample: TunerSample): void {
    const { items, durationMs } = sample
    if (!Number.isFinite(items) || !Number.isFinite(durationMs) || items <= 0 || durationMs < 0) return
    this.#averages = {
      items: moved(this.#averages.items, items),
      ms: moved(this.#averages.ms, durationMs),
    }
    const rate = itemsPerMs(this.#averages)
    const size = this.#sizeFor(this.#targetMs)
    const why =
      rate === null
        ? 'no batch took measurable time yet: the default size'
        : `${rate.toPrecision(4)} items per ms on average, for ${this.#targetMs} ms`
    this.#decide(size, 'average', sample, why)
  }

  snapshot(): JsonValue {
    return { tuner: 'ema', version: 1, items: this.#averages.items, ms: this.#averages.ms }
  }

  explain(): readonly TunerDecision[] {
    return this.#decisions.list()
  }

  #sizeFor(targetMs: number): number {
    const rate = itemsPerMs(this.#averages)
    return clampToBounds(rate === null ? this.#context.defaultBatchSize : targetMs * rate, this.#bounds)
  }

  #decide(to: number, rule: string, sample: TunerSample | null, why: string): void {
    this.#decisions.push({ rule, from: this.#size, to, sample, targetMs: this.#targetMs, why })
    this.#size = to
  }
}

function moved(average: number, value: number): number {
  return average + WEIGHT * (value - average)
}

function itemsPerMs({ items, ms }: Averages): number | null {
  return items > 0 && ms > 0 ? items / ms : null
}

/** The row may have been edited by hand or written by another tuner: anything odd counts as nothing saved. */
function readAverages(saved: JsonValue | undefined): Averages | null {
  if (typeof saved !== 'object' || saved === null || !('tuner' in saved)) return null
  const { tuner, version, items, ms } = saved
  if (tuner !== 'ema' || version !== 1 || !isAverage(items) || !isAverage(ms)) return null
  return { items, ms }
}

function isAverage(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
