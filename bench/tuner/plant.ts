import type { TunerContext, TunerFactory } from '../../src/pacing/tuner.js'
import { seededRandom, type Random } from './random.js'

/** What a batch of `size` items costs at a moment, in ms. */
export interface Cost {
  /** What the items cost, noise included. */
  readonly workMs: number
  /** What they cost on average at this moment, for a measure that noise doesn't blur. */
  readonly expectedMs: number
  /** BEGIN, bookmark, COMMIT. */
  readonly fixedMs?: number
  /** Items found, where they are fewer than asked for. */
  readonly items?: number
}

/** A simulated database: the cost of batch number `batch` (from 0). */
export type Plant = (batch: number, size: number) => Cost

export interface Simulation {
  readonly tuner: TunerFactory
  /** Makes a fresh plant from a source of noise. */
  readonly plant: (random: Random) => Plant
  readonly seed: number
  readonly batches: number
  readonly context?: Partial<TunerContext>
  /** The target of a batch where it changes, in ms. */
  readonly targetMs?: (batch: number) => number
  /** Whether the engine tells the fixed part apart. Default true. */
  readonly tellsOverhead?: boolean
  /** What the clock makes of a time. Default: the time. */
  readonly clock?: (ms: number) => number
  /** A batch that takes longer is cancelled then, in targets. Default never. */
  readonly deadline?: number
}

/** One simulated batch. */
export interface Batch {
  readonly size: number
  /** Its time on average over its target: 1 is a perfect size. */
  readonly load: number
  /** The measured time over the target. */
  readonly measured: number
  readonly cancelled: boolean
}

export const STANDARD_CONTEXT: TunerContext = {
  targetMs: 100,
  defaultBatchSize: 100,
  minBatchSize: 1,
  maxBatchSize: 1_000_000,
}

/** Runs a tuner against a plant. */
export function simulate(simulation: Simulation): readonly Batch[] {
  const { clock = (ms: number) => ms, deadline = Number.POSITIVE_INFINITY, tellsOverhead = true } = simulation
  const context = { ...STANDARD_CONTEXT, ...simulation.context }
  const tuner = simulation.tuner(context)
  const plant = simulation.plant(seededRandom(simulation.seed))
  return Array.from({ length: simulation.batches }, (_, batch) => {
    const targetMs = simulation.targetMs?.(batch) ?? context.targetMs
    const size = tuner.next(targetMs)
    const { workMs, expectedMs, fixedMs = 0, items = size } = plant(batch, size)
    const whole = workMs + fixedMs
    const cancelled = whole > deadline * targetMs
    const durationMs = clock(Math.min(whole, deadline * targetMs))
    tuner.record({
      items,
      durationMs,
      ...(tellsOverhead && { overheadMs: clock(fixedMs) }),
      ...(cancelled && { cancelled }),
    })
    return { size, load: expectedMs / targetMs, measured: durationMs / targetMs, cancelled }
  })
}
