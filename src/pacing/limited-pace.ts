import { BudgetKeeper, type Budgets } from './budgets/budgets.js'
import type { Pace, PaceContext, PaceExplanation, PaceSample, Pause } from './pace.js'
import { WindowKeeper, type Windows } from './windows/windows.js'

/** Limits beside a pace, whichever that is. */
export interface PaceLimits {
  readonly budgets: Budgets
  readonly windows: Windows
}

const LOOK_EVERY_MS = 1_000

/** A pace within budgets and time windows: whoever asks for the longest wait gives the reason. */
export class LimitedPace implements Pace {
  readonly #pace: Pace
  // Invariant: what the keepers keep to.
  #limits: PaceLimits = { budgets: {}, windows: [] }
  readonly #budgets = new BudgetKeeper()
  readonly #windows = new WindowKeeper()

  constructor(pace: Pace, limits: PaceLimits) {
    this.#pace = pace
    this.limit(limits)
  }

  /** Other limits from now on. */
  limit(limits: PaceLimits): void {
    this.#limits = limits
    this.#budgets.set(limits.budgets)
    this.#windows.set(limits.windows)
  }

  /** WAL is counted by a signal. */
  get ignoresSignals(): boolean {
    return this.#pace.ignoresSignals === true && this.#limits.budgets.walBytesPerHour === undefined
  }

  beforeBatch(context: PaceContext): Pause {
    const paced = this.#pace.beforeBatch(context)
    const budget = this.#budgets.beforeBatch(context)
    const limits = {
      ...(paced.targetMs === undefined ? {} : { targetMs: paced.targetMs }),
      ...(paced.statements === undefined ? {} : { statements: paced.statements }),
      ...least('maxItems', paced.maxItems, budget?.maxItems),
    }
    const window = this.#windows.beforeBatch(context)
    if (window !== null) return { ...hold(window), ...limits }
    if (budget !== null && budget.ms > paced.ms) return { ...hold(budget), ...limits }
    return { ...paced, ...limits }
  }

  afterBatch(sample: PaceSample): void {
    this.#budgets.afterBatch(sample)
    this.#pace.afterBatch?.(sample)
  }

  explain(): PaceExplanation {
    return this.#pace.explain?.() ?? { duty: null, mode: null, decisions: [] }
  }
}

// The queue and the settings are looked at meanwhile.
function hold(pause: Pause): Pause {
  return pause.ms > LOOK_EVERY_MS ? { ...pause, ms: LOOK_EVERY_MS, again: true } : pause
}

function least<Name extends string>(
  name: Name,
  a: number | undefined,
  b: number | undefined,
): Partial<Record<Name, number>> {
  const values = [a, b].filter((value) => value !== undefined)
  return values.length === 0 ? {} : ({ [name]: Math.min(...values) } as Partial<Record<Name, number>>)
}
