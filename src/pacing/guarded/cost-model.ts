import { ChangeDetector } from './change-detector.js'
import { fixedMsByLine, fixedMsByPrice } from './hidden-fixed-cost.js'
import { nextNoiseWidth, USUAL_NOISE_WIDTH } from './noise-width.js'
import { itemsMs, logCost, type Observation } from './observation.js'
import type { GuardedSettings } from './options.js'

/** Batches remembered, to restart from and to find a fixed cost in. */
const WINDOW = 32
/** A residual moves the estimate by at most this many noise widths (Huber). */
const CLIPPED_AT = 1.5
/** Costs further apart than this many noise widths aren't averaged: the later one holds. */
const JUMP = 2.5
/** An estimate that stands for as many batches is a price to hold a later one against. */
const ESTABLISHED = 5
/** So many batches in a row shorter than their fixed part prove that it is gone. */
const STALL_OVER = 3
/** Share of the noise width by which a batch is smaller when the estimate stands for one batch. */
const CAUTION = 0.5
/** How much a fixed part that nobody measured is believed to vary, as a share of it. */
const FIXED_VARIATION = 0.2

/** What a saved model goes on from. */
export interface CostEstimate {
  /** ln(ms per item). */
  readonly logCost: number
  /** Standard deviation of the noise on that scale. */
  readonly noiseWidth: number
  /** Fixed ms of a batch that nobody measured apart. */
  readonly fixedMs: number
}

/** The running estimate of what an item costs, on a log scale. */
export class CostModel {
  readonly #gain: number
  readonly #changes: ChangeDetector
  /** ln(ms per item); null until the first observation. */
  #logCost: number | null = null
  /** How many observations, weighted by their precision, the estimate stands for. */
  #weight = 0
  /** Standard deviation of the residuals, within the bounds of noise-width.ts. */
  #noiseWidth = USUAL_NOISE_WIDTH
  /** Fixed ms of a batch that nobody measured apart, ≥ 0. */
  #fixedMs = 0
  /** ms per item before the last rise; null when none was established. */
  #priceBefore: number | null = null
  /** Observations since the cost last changed, oldest first, at most `WINDOW`. */
  #window: readonly Observation[] = []

  constructor(settings: GuardedSettings, saved: CostEstimate | null) {
    this.#gain = settings.gain
    this.#changes = new ChangeDetector(settings.changeDrift, settings.changeThreshold)
    if (saved === null) return
    this.#logCost = saved.logCost
    this.#noiseWidth = saved.noiseWidth
    this.#fixedMs = saved.fixedMs
    this.#weight = 1
  }

  get estimate(): CostEstimate | null {
    if (this.#logCost === null) return null
    return { logCost: this.#logCost, noiseWidth: this.#noiseWidth, fixedMs: this.#fixedMs }
  }

  get fixedMs(): number {
    return this.#fixedMs
  }

  /** Expected ms per item; null until the first observation. */
  get msPerItem(): number | null {
    return this.#logCost === null ? null : Math.exp(this.#logCost)
  }

  /**
   * How much smaller a batch should be while the estimate stands for few batches, 0 to 1: too long is worse than too
   * short.
   */
  get caution(): number {
    return this.#weight > 0 ? Math.exp((-CAUTION * this.#noiseWidth) / Math.max(1, this.#weight)) : 1
  }

  /** How much dearer than expected the batch was, as a difference of logarithms; 0 when nothing was expected. */
  residual(batch: Observation): number {
    return this.#logCost === null ? 0 : logCost(batch, this.#fixedMs) - this.#logCost
  }

  /** The noise that such a batch is expected to have, as a standard deviation of its residual. */
  noiseOf(batch: Observation): number {
    const uncertainMs = batch.clockErrorMs + FIXED_VARIATION * this.#fixedMs
    return Math.hypot(this.#noiseWidth, uncertainMs / itemsMs(batch, this.#fixedMs))
  }

  /** While the size is being found: the mean of the batches that agree with the last one. */
  learn(batch: Observation): void {
    const agrees = this.#logCost !== null && Math.abs(this.residual(batch)) <= JUMP * this.noiseOf(batch)
    if (!agrees) return this.restart([batch])
    this.#remember(batch)
    this.#weight += this.#precision(batch)
    this.#logCost! += (this.residual(batch) * this.#precision(batch)) / this.#weight
  }

  /** A small step towards the batch, or, when the last ones prove a change, a restart from those. */
  follow(batch: Observation): 'steady' | 'dearer' | 'cheaper' {
    if (this.#logCost === null) {
      this.restart([batch])
      return 'steady'
    }
    const before = this.#logCost
    const residual = this.residual(batch)
    const noise = this.noiseOf(batch)
    this.#remember(batch)
    const run = this.#stallIsOver() ? STALL_OVER : this.#changes.add(residual / noise)
    if (run > 0) {
      // What looks like a second rise may be the proof that the first was a stall.
      if (residual > 0 && this.#findFixedCost()) return 'dearer'
      this.restart(this.#typical(this.#window.slice(-run)))
      return this.#logCost > before ? 'dearer' : 'cheaper'
    }
    const precision = this.#precision(batch)
    const gain = Math.max(this.#gain, 1 / (this.#weight + 1)) * precision
    const limit = CLIPPED_AT * noise
    this.#weight += precision
    this.#logCost += gain * Math.min(limit, Math.max(-limit, residual))
    this.#noiseWidth = nextNoiseWidth(this.#noiseWidth, residual, noise)
    this.#findFixedCost()
    return 'steady'
  }

  /** Forgets what was, and takes the mean of these batches. */
  restart(batches: readonly Observation[]): void {
    const before = this.#logCost
    const established = this.#weight >= ESTABLISHED
    const hadFixedCost = this.#fixedMs > 0
    this.#window = batches
    this.#changes.reset()
    this.#fixedMs = 0
    this.#takeMeanOfWindow()
    if (before === null || this.#logCost! < before || hadFixedCost) this.#priceBefore = null
    else if (established) this.#priceBefore = Math.exp(before)
    this.#findFixedCost()
  }

  /** Takes the batch's cost as a lower bound. */
  raiseTo(batch: Observation): void {
    if (this.#logCost === null || this.residual(batch) > 0) this.restart([batch])
  }

  #stallIsOver(): boolean {
    const last = this.#window.slice(-STALL_OVER)
    return last.length === STALL_OVER && last.every(({ workMs }) => workMs < this.#fixedMs)
  }

  #remember(batch: Observation): void {
    this.#window = [...this.#window, batch].slice(-WINDOW)
  }

  /** Weight of a batch against one that was measured perfectly: below 1 where the clock is coarse for it. */
  #precision(batch: Observation): number {
    return (this.#noiseWidth / this.noiseOf(batch)) ** 2
  }

  #takeMeanOfWindow(): void {
    const weights = this.#window.map((batch) => this.#precision(batch))
    const sum = this.#window.reduce((total, batch, i) => total + weights[i]! * logCost(batch, this.#fixedMs), 0)
    this.#weight = weights.reduce((total, weight) => total + weight, 0)
    this.#logCost = sum / this.#weight
  }

  /** Without the batches from before the change that a run may have begun with. */
  #typical(batches: readonly Observation[]): readonly Observation[] {
    const costs = batches.map((batch) => logCost(batch, 0)).sort((a, b) => a - b)
    const median = costs[Math.floor(costs.length / 2)]!
    return batches.filter((batch) => Math.abs(logCost(batch, 0) - median) <= JUMP * this.noiseOf(batch))
  }

  /** Whether the fixed part turned out to be another than was believed. */
  #findFixedCost(): boolean {
    const price = this.#priceBefore
    const fixedMs =
      price === null
        ? fixedMsByLine(this.#window, this.#noiseWidth)
        : fixedMsByPrice(this.#window, price, this.#noiseWidth)
    if (fixedMs === null || Math.abs(fixedMs - this.#fixedMs) <= 0.2 * fixedMs) return false
    this.#fixedMs = fixedMs
    this.#takeMeanOfWindow()
    // Beside a long stall the items' own time is lost in its noise: then the price that was is the better guess.
    if (price !== null && fixedMs > 0) this.#logCost = Math.log(price)
    this.#changes.reset()
    return true
  }
}
