import { seededRandom, type Random } from '../../bench/tuner/random.js'
import { ofHistogram } from '../../src/keyset/waypoints.js'
import { walkFraction, walkShare } from '../../src/updates/walk/fraction.js'
import type { WalkProgress } from '../../src/updates/walk/progress.js'

/** One batch of a recorded run: when it ended, and what the update's progress said by then. */
export interface RecordedBatch {
  /** Since the run began, in seconds of wall-clock time, downtime included. */
  readonly atSeconds: number
  /** As the runner measures it: since the batch before of the same process, in ms. */
  readonly elapsedMs: number
  readonly items: number
  readonly fraction: number | null
  /** The process was started anew before this batch. */
  readonly restarted: boolean
}

export interface RecordedRun {
  readonly batches: readonly RecordedBatch[]
  readonly endSeconds: number
  /** As the update's report says it. */
  readonly wholeMayBeOff?: number
}

interface Plan {
  /** Standard deviation of the logarithm of a batch's time. */
  readonly noise?: number
  /** How many times the usual time a batch takes, at this share of the rows and of the usual time. */
  readonly cost?: (position: number, time: number) => number
  /** Downtime before the batch at this share of the rows, in seconds. */
  readonly downtime?: { readonly at: number; readonly seconds: number }
  /** Without noise and trouble, in seconds. Default: from 20 s to 11 h. */
  readonly seconds?: number
  /** What the progress says when so many rows of all are done. */
  readonly fraction?: (done: number, rows: number) => number | null
}

const ROWS_A_BATCH = 1_000

function run(random: Random, plan: Plan): RecordedRun {
  const { noise = 0.3, cost = () => 1, downtime, fraction = denseKey } = plan
  const count = Math.round(100 * 30 ** random.uniform())
  const usual = (plan.seconds ?? 20 * 2_000 ** random.uniform()) / count
  const rows = count * ROWS_A_BATCH
  let atSeconds = 0
  let wasDown = false
  const batches = Array.from({ length: count }, (_, index): RecordedBatch => {
    const position = (index + 0.5) / count
    const factor = cost(position, atSeconds / (usual * count)) * Math.exp(noise * random.normal() - noise ** 2 / 2)
    const restarted = downtime !== undefined && !wasDown && position >= downtime.at
    if (restarted) {
      wasDown = true
      atSeconds += downtime.seconds
    }
    atSeconds += usual * factor
    const done = (index + 1) * ROWS_A_BATCH
    return {
      atSeconds,
      elapsedMs: usual * factor * 1_000,
      items: ROWS_A_BATCH,
      fraction: fraction(done, rows),
      restarted,
    }
  })
  return { batches, endSeconds: atSeconds }
}

function denseKey(done: number, rows: number): number | null {
  return walkFraction({ first: [1], lower: [done], end: [rows], walked: done, measuredBy: 'key' })
}

/** Keys of which a part uses only one number of a hundred; measured by the histogram of an earlier ANALYZE. */
function sparseKey(from: number, to: number, analysedRows: number, rows: number): (done: number) => number | null {
  // The key of the n-th row.
  const key = (row: number) => {
    const [begin, end] = [from * rows, to * rows]
    return Math.round(row + 99 * Math.max(0, Math.min(row, end) - begin))
  }
  const bounds = Array.from({ length: 101 }, (_, index) => String(key(1 + (index / 100) * (analysedRows - 1))))
  const waypoints = ofHistogram(bounds, [String(key(rows))]) ?? []
  const [first, end] = [[String(key(1))], [String(key(rows))]]
  return (done) =>
    walkFraction({ first, end, lower: [String(key(done))], walked: done, measuredBy: 'waypoints', waypoints })
}

/** Only the number of rows is known, and that by statistics of another time. */
function staleRows(factor: number): (done: number, rows: number) => number | null {
  return (done, rows) => {
    const progress: WalkProgress = { first: ['a'], lower: ['b'], end: ['z'], walked: done, measuredBy: 'rows' }
    return walkFraction({ ...progress, estimatedRows: rows * factor })
  }
}

/** What can happen to a walk. Each makes a run of a seed. */
export const SIMULATED_WALKS = {
  'steady, 30 % noise': (random) => run(random, {}),
  'steady, 60 % noise': (random) => run(random, { noise: 0.6 }),
  'a region 5 × dearer': (random) => {
    const from = 0.1 + 0.6 * random.uniform()
    return run(random, { cost: (position) => (position >= from && position < from + 0.2 ? 5 : 1) })
  },
  'throttled to a tenth for a third of the time': (random) => {
    const whole = 1 / 0.7
    const from = whole * 0.65 * random.uniform()
    return run(random, { cost: (_, time) => (time >= from && time < from + whole / 3 ? 10 : 1) })
  },
  'an hour of downtime': (random) =>
    run(random, { seconds: 3_600 * (2 + 6 * random.uniform()), downtime: { at: random.uniform(), seconds: 3_600 } }),
  'bursts of foreground work': (random) => {
    let until = 0
    let factor = 1
    return run(random, {
      cost: (_, time) => {
        if (time > until) {
          factor = factor === 1 ? 8 : 1
          until = time + (factor === 1 ? 0.04 : 0.02) * -Math.log(1 - random.uniform())
        }
        return factor
      },
    })
  },
  'one batch of a hundred 50 ×': (random) => run(random, { cost: () => (random.uniform() < 0.01 ? 50 : 1) }),
  'twice as dear at the end': (random) => run(random, { cost: (position) => 0.7 + 0.7 * position }),
  'twice as cheap at the end': (random) => run(random, { cost: (position) => 1.4 - 0.7 * position }),
  'sparse keys in a part': (random) => {
    const from = 0.7 * random.uniform()
    return run(random, { fraction: perRows((rows) => sparseKey(from, from + 0.3, rows, rows)) })
  },
  'sparse keys, statistics of a third of the rows': (random) => {
    const from = 0.2 * random.uniform()
    return run(random, { fraction: perRows((rows) => sparseKey(from, from + 0.1, rows / 3, rows)) })
  },
  'only a number of rows, 20 % off': (random) => ({
    ...run(random, { fraction: staleRows(0.8 + 0.4 * random.uniform()) }),
    wholeMayBeOff: walkShare({ measuredBy: 'rows' }).wholeMayBeOff,
  }),
} satisfies Record<string, (random: Random) => RecordedRun>

export type SimulatedWalk = keyof typeof SIMULATED_WALKS

export function simulatedWalk(name: SimulatedWalk, seed: number): RecordedRun {
  return SIMULATED_WALKS[name](seededRandom(seed))
}

// The keys are made when the number of rows is known.
function perRows(make: (rows: number) => (done: number) => number | null) {
  let made: ((done: number) => number | null) | undefined
  return (done: number, rows: number) => (made ??= make(rows))(done)
}
