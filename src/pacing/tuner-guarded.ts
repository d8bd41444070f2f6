import type { JsonValue } from '../json.js'
import { batchBounds, clampToBounds, type BatchBounds } from './batch-bounds.js'
import { DecisionRing } from './decision-ring.js'
import { CostModel } from './guarded/cost-model.js'
import { observe, overheadOf, type Observation } from './guarded/observation.js'
import { guardedSettings, type GuardedSettings, type GuardedTunerOptions } from './guarded/options.js'
import { Overhead, timeForItems } from './guarded/overhead.js'
import { readState, writeState } from './guarded/saved-state.js'
import type { Tuner, TunerContext, TunerDecision, TunerFactory, TunerSample } from './tuner.js'

export type { GuardedTunerOptions } from './guarded/options.js'

/** A probe, the retry of a cancelled batch and the first batch after a restart: how much smaller they are at most. */
const PROBE_SHARE = 0.1
const RESUME_SHARE = 0.25
/** A batch that takes this share of its time ends the slow start. */
const ENOUGH = 0.5
/** So do this many batches in a row that weren't held back by it. */
const UNHINDERED = 3
/** A probe within this many noise widths of what was expected agrees with it. */
const AGREEMENT = 2
/** A second cancellation within this many batches is no accident any more. */
const SHORTLY = 10

/**
 * The default tuner: estimates the cost of an item robustly, starts slowly, follows real changes within two or three
 * batches, and doesn't take one stray batch for a change.
 *
 * @throws ConfigurationError that names every misspelt or impossible option
 *
 * @example
 * import { BackgroundUpdater, guardedTuner, type Database } from 'evenkeel'
 *
 * export const updaterOf = (database: Database) => new BackgroundUpdater({ database, tuner: guardedTuner({ guard: 2 }) })
 */
export function guardedTuner(options?: GuardedTunerOptions): TunerFactory {
  const settings = guardedSettings(options)
  return (context) => new GuardedTuner(settings, context)
}

type Mode =
  | { readonly name: 'slow start'; readonly unhindered: number }
  | { readonly name: 'steady' }
  /** The batch in flight is small on purpose, to learn whether `suspect` was an accident. */
  | {
      readonly name: 'probe'
      readonly suspect: Observation
      readonly bound: boolean
      readonly before: number
      readonly then: Mode
    }

const SLOW_START: Mode = { name: 'slow start', unhindered: 0 }
const STEADY: Mode = { name: 'steady' }

class GuardedTuner implements Tuner {
  readonly #settings: GuardedSettings
  readonly #context: TunerContext
  readonly #bounds: BatchBounds
  readonly #decisions: DecisionRing<TunerDecision>
  readonly #model: CostModel
  readonly #overhead: Overhead
  /** What the batch in flight is for, which decides what is made of its time. */
  #mode: Mode = SLOW_START
  /** Size of the batch in flight, an integer within the bounds, and the target in ms that it was made for. */
  #size: number
  #targetMs: number
  /** The next size may not exceed this, whatever the cost; in items. */
  #ceiling: number
  /** The working size that a restart goes on from, in items. */
  #settledSize: number
  /** Batches since one was cancelled, the one in flight not counted. */
  #batchesSinceCancelled = Number.POSITIVE_INFINITY

  constructor(settings: GuardedSettings, context: TunerContext) {
    this.#settings = settings
    this.#context = context
    this.#bounds = batchBounds(context)
    this.#decisions = new DecisionRing(settings.decisionsKept)
    const saved = readState(context.saved)
    this.#model = new CostModel(settings, saved?.estimate ?? null)
    this.#overhead = new Overhead(saved?.overheadMs)
    this.#targetMs = isTarget(context.targetMs) ? context.targetMs : 1
    const first = clampToBounds(context.defaultBatchSize, this.#bounds)
    this.#settledSize = saved === null ? first : clampToBounds(saved.size, this.#bounds)
    this.#ceiling = saved === null ? first : this.#settledSize * RESUME_SHARE
    this.#size = this.#settledSize
    if (saved === null) this.#decide('first', null, 'nothing is known yet: the default size')
    else this.#decide('resume', null, 'starts again at a quarter of the size that was saved')
  }

  next(targetMs?: number): number {
    const target = isTarget(targetMs) ? targetMs : isTarget(this.#context.targetMs) ? this.#context.targetMs : 1
    if (target === this.#targetMs) return this.#size
    // The ceiling guards against a wrong estimate; a target that was raised on purpose may use a proven one at once.
    if (this.#mode.name === 'steady') this.#ceiling *= Math.max(1, target / this.#targetMs)
    this.#targetMs = target
    if (this.#mode.name !== 'probe' || this.#wanted() < this.#size)
      this.#decide('target', null, `the target is ${target} ms now`)
    return this.#size
  }

  record(sample: TunerSample): void {
    const batch = observe(sample.cancelled && !(sample.items > 0) ? { ...sample, items: this.#size } : sample)
    if (batch === null) return
    this.#batchesSinceCancelled += 1
    if (sample.cancelled) return this.#afterCancelled(sample, batch)
    this.#overhead.add(overheadOf(sample))
    if (this.#mode.name === 'probe') this.#afterProbe(sample, batch, this.#mode)
    else if (this.#isStray(batch)) this.#afterStray(sample, batch)
    else if (this.#mode.name === 'slow start') this.#afterSlowStart(sample, batch, this.#mode.unhindered)
    else this.#afterSteady(sample, batch)
  }

  snapshot(): JsonValue {
    const { estimate } = this.#model
    return estimate === null
      ? null
      : writeState({ size: this.#settledSize, estimate, overheadMs: this.#overhead.recent })
  }

  explain(): readonly TunerDecision[] {
    return this.#decisions.list()
  }

  #afterSlowStart(sample: TunerSample, batch: Observation, unhindered: number): void {
    this.#model.learn(batch)
    this.#ceiling = this.#size * this.#settings.slowStartGrowth
    const free = this.#wanted() <= this.#ceiling ? unhindered + 1 : 0
    const found = batch.workMs >= ENOUGH * this.#timeForItems() || free >= UNHINDERED || this.#size >= this.#bounds.max
    this.#mode = found ? STEADY : { name: 'slow start', unhindered: free }
    this.#decide('slow start', sample, `${took(batch)}${found ? ': the size is found' : ''}`)
  }

  #afterSteady(sample: TunerSample, batch: Observation): void {
    const outcome = this.#model.follow(batch)
    const growth = outcome === 'cheaper' ? this.#settings.slowStartGrowth : this.#settings.growth
    this.#ceiling = this.#size * growth
    if (outcome === 'steady') return this.#decide('steady', sample, took(batch))
    if (outcome === 'cheaper') this.#mode = SLOW_START
    this.#decide('change', sample, `${took(batch)}, and so did those before it: items have become ${outcome}`)
  }

  /** Rule 4: the next batch finds out whether rows became dear or one batch was unlucky. */
  #afterStray(sample: TunerSample, batch: Observation): void {
    const share = Math.max(PROBE_SHARE, this.#timeForItems() / batch.workMs)
    this.#probe(batch, false, this.#size * share)
    this.#decide('guard', sample, `${took(batch)}, far more than expected: the next batch is a probe`)
  }

  /**
   * Rule 6. The first time it may have been an accident; soon after, it is believed to have been at least this slow.
   */
  #afterCancelled(sample: TunerSample, batch: Observation): void {
    const again = this.#mode.name === 'probe' || this.#batchesSinceCancelled <= SHORTLY || this.#model.estimate === null
    this.#batchesSinceCancelled = 0
    const retry = this.#size * PROBE_SHARE
    if (again) {
      this.#model.raiseTo(batch)
      this.#mode = STEADY
      this.#ceiling = retry
    } else this.#probe(batch, true, retry)
    this.#decide('cancelled', sample, `${took(batch)} and was cancelled: it is retried at a tenth`)
  }

  #afterProbe(sample: TunerSample, batch: Observation, probe: Mode & { name: 'probe' }): void {
    const noise = this.#model.noiseOf(batch)
    if (this.#model.residual(batch) <= Math.max(0.5, AGREEMENT * noise)) {
      this.#mode = probe.then
      if (this.#mode.name === 'slow start') this.#model.learn(batch)
      else this.#model.follow(batch)
      this.#ceiling = probe.before
      return this.#decide('restore', sample, `the probe's ${took(batch)}, as expected: the batch before it was a stray`)
    }
    // A stray that is far from the probe as well was an accident on top of the change.
    const confirmed =
      !probe.bound && Math.abs(this.#model.residual(probe.suspect) - this.#model.residual(batch)) <= 3 * noise
    this.#model.restart(confirmed ? [probe.suspect, batch] : [batch])
    this.#mode = STEADY
    this.#ceiling = this.#size * this.#settings.growth
    this.#decide('change', sample, `the probe's ${took(batch)}: items have become dearer`)
  }

  #probe(suspect: Observation, bound: boolean, size: number): void {
    this.#mode = {
      name: 'probe',
      suspect,
      bound,
      before: this.#size,
      then: this.#mode.name === 'probe' ? STEADY : this.#mode,
    }
    this.#ceiling = size
  }

  /** Over the guard, and not because that is what items are known to cost (as it is at `minBatchSize`). */
  #isStray(batch: Observation): boolean {
    const over = this.#settings.guard * Math.max(this.#targetMs, this.#timeForItems())
    return batch.workMs > over && this.#model.residual(batch) > Math.max(0.4, 1.5 * this.#model.noiseOf(batch))
  }

  #timeForItems(): number {
    const fixedMs = this.#overhead.ms + this.#model.fixedMs
    return timeForItems(this.#settings.aim * this.#targetMs, this.#targetMs, fixedMs)
  }

  /** The size that fills the target, in items; infinite when nothing is known. */
  #wanted(): number {
    const { msPerItem } = this.#model
    return msPerItem === null ? Number.POSITIVE_INFINITY : (this.#timeForItems() * this.#model.caution) / msPerItem
  }

  #decide(rule: string, sample: TunerSample | null, why: string): void {
    const from = this.#size
    this.#size = clampToBounds(Math.min(this.#wanted(), this.#ceiling), this.#bounds)
    if (sample !== null) this.#settledSize = this.#mode.name === 'probe' ? this.#mode.before : this.#size
    this.#decisions.push({ rule, from, to: this.#size, sample, targetMs: this.#targetMs, why })
  }
}

function isTarget(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value) && value > 0
}

function took({ items, workMs }: Observation): string {
  return `${items} items took ${workMs < 10 ? workMs.toPrecision(2) : Math.round(workMs)} ms`
}
