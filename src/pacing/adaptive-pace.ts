import { cutTarget, FULL_TARGET, recoverTarget, type TargetState } from './adaptive/batch-target.js'
import { CommitTime } from './adaptive/commit-time.js'
import { nextDuty, startDuty, type DutyState } from './adaptive/duty.js'
import { nextForeground, NO_FOREGROUND, type ForegroundState } from './adaptive/foreground.js'
import { pressureOf, WAL_RATE, type Pressure } from './adaptive/gauges.js'
import { holdingStop, NO_HARD_STOPS, readHardStops, type HardStops, type Holding } from './adaptive/hard-stops.js'
import { checkedOptions, knobsOf, type AdaptivePaceOptions } from './adaptive/options.js'
import { OwnWal } from './adaptive/own-wal.js'
import { owedPause, type LastBatch } from './adaptive/owed-pause.js'
import type { PaceKnobs } from './adaptive/presets.js'
import { roomBeside } from './adaptive/room.js'
import { DecisionRing } from './decision-ring.js'
import type { Pace, PaceContext, PaceDecision, PaceDialect, PaceExplanation, PaceSample, Pause } from './pace.js'

export type { AdaptivePaceOptions } from './adaptive/options.js'
export type { PaceKnobs, PacePreset } from './adaptive/presets.js'

const DECIDE_EVERY_MS = 1_000
const DECISIONS_KEPT = 100
// The least that a batch may take until it is known whether somebody is there.
const UNSEEN_TARGET_MS = 10

/**
 * The default pace: full speed on an idle database, and it gives way when somebody else works there or a signal says
 * that the database suffers. Batch size controls the worst stall, duty (the share of the time that goes to batches) the
 * mean load. Make one for each updater: it remembers what it decided.
 *
 * @throws ConfigurationError that names every misspelt or impossible option
 *
 * @example
 * import { adaptivePace, BackgroundUpdater, type Database } from 'evenkeel'
 *
 * export const updaterOf = (database: Database) =>
 *   new BackgroundUpdater({ database, pace: adaptivePace({ preset: 'gentle' }) })
 */
export function adaptivePace(options: AdaptivePaceOptions = {}): AdaptivePace {
  return new AdaptivePaceOf(options)
}

/** A pace whose knobs can be turned while it runs. */
export interface AdaptivePace extends Pace {
  /** Those of PostgreSQL until it has been asked for a database. */
  readonly knobs: PaceKnobs
  /**
   * Turns knobs beside those that it was made with; `{}` goes back to them.
   *
   * @throws ConfigurationError
   */
  turn(options: AdaptivePaceOptions): void
}

class AdaptivePaceOf implements AdaptivePace {
  readonly #options: AdaptivePaceOptions
  /** What is chosen now, and for which kind of database: the presets differ. */
  #chosen: AdaptivePaceOptions
  #dialect: PaceDialect = 'postgres'
  #knobs: PaceKnobs
  readonly #decisions = new DecisionRing<PaceDecision>(DECISIONS_KEPT)
  readonly #commitTime = new CommitTime()
  readonly #ownWal = new OwnWal()
  #duty: DutyState
  #foreground: ForegroundState = NO_FOREGROUND
  #hardStops: HardStops = NO_HARD_STOPS
  #target: TargetState = FULL_TARGET
  /** How much of the shared duty there is room for beside the others. */
  #room = 1
  /** When the duty was decided last; null before the first batch. */
  #decidedMs: number | null = null
  /** The last batch of each lane, which its next one rests from. */
  readonly #last = new Map<number, LastBatch>()

  constructor(options: AdaptivePaceOptions) {
    this.#options = checkedOptions(options)
    this.#chosen = options
    this.#knobs = knobsOf(options, this.#dialect)
    this.#duty = startDuty(this.#knobs.maxDuty)
  }

  get knobs(): PaceKnobs {
    return this.#knobs
  }

  turn(options: AdaptivePaceOptions): void {
    // A preset that is chosen now is meant whole: it wins over values that were chosen beside another.
    const before = options.preset === undefined ? this.#options : {}
    this.#chosen = { ...before, ...checkedOptions(options) }
    this.#knobs = knobsOf(this.#chosen, this.#dialect)
  }

  beforeBatch(context: PaceContext): Pause {
    if (context.dialect !== this.#dialect) {
      this.#dialect = context.dialect
      this.#knobs = knobsOf(this.#chosen, this.#dialect)
    }
    this.#look(context)
    const holding = holdingStop(this.#hardStops)
    if (holding !== null) return stopped(holding)
    const pressure = this.#pressure(context)
    const lastedMs = this.#decidedMs === null ? null : context.nowMs - this.#decidedMs
    const saysStop = pressure.highest?.stops === true && this.#duty.stoppedBy === null
    if (lastedMs === null || lastedMs >= DECIDE_EVERY_MS || saysStop) this.#decide(context, pressure)
    if (this.#duty.stoppedBy !== null) {
      const why = pressure.highest?.why ?? `${this.#duty.stoppedBy} was above its limit`
      return stopped({ signal: this.#duty.stoppedBy, why })
    }
    return { ...this.#rest(context, pressure), ...this.#targetFor(context) }
  }

  afterBatch(sample: PaceSample): void {
    this.#last.set(sample.lane ?? 0, { endMs: sample.nowMs, durationMs: sample.durationMs })
    this.#commitTime.add(sample.commitMs, sample.nowMs)
    this.#ownWal.add(sample)
  }

  explain(): PaceExplanation {
    const stopped = this.#duty.stoppedBy !== null || holdingStop(this.#hardStops) !== null
    return {
      duty: stopped ? 0 : Math.min(this.#duty.duty, this.#ceiling()),
      mode: this.#foreground.mode,
      decisions: this.#decisions.list(),
    }
  }

  /** What takes effect at once: the mode, hard stops, and who waits for our locks. */
  #look(context: PaceContext): void {
    const { nowMs, readings, signals } = context
    const mode = this.#foreground.mode
    this.#foreground = nextForeground(this.#foreground, { nowMs, readings, signals, quietMs: this.#knobs.quietMs })
    if (mode !== this.#foreground.mode) {
      const rule = this.#foreground.mode === 'shared' ? 'somebody else works' : 'nobody else works'
      this.#note(context, { about: 'mode', rule, from: mode, to: this.#foreground.mode, why: this.#foreground.why })
    }
    this.#room = roomBeside(readings, this.#knobs)
    const held = holdingStop(this.#hardStops)
    this.#hardStops = readHardStops(this.#hardStops, readings, nowMs)
    const holds = holdingStop(this.#hardStops)
    if (held?.signal !== holds?.signal) this.#noteStop(context, held, holds)
    const { share } = this.#target
    this.#target = cutTarget(this.#target, readings, this.#allowedTargetMs(context))
    if (this.#target.share < share) {
      const why = 'somebody waits for a lock of ours: smaller batches'
      this.#note(context, { about: 'target', rule: 'halve', from: share, to: this.#target.share, why })
    }
  }

  #decide(context: PaceContext, pressure: Pressure): void {
    const { nowMs, readings } = context
    if (this.#decidedMs !== null) this.#target = recoverTarget(this.#target, readings)
    this.#decidedMs = nowMs
    const before = this.#duty
    const { minDuty, maxDuty } = this.#knobs
    // What is decided lasts longer than the room of this moment.
    const { state, rule } = nextDuty(before, pressure, { minDuty, maxDuty, ceiling: this.#ceiling(1) }, nowMs)
    this.#duty = state
    const from = before.stoppedBy === null ? before.duty : 0
    const to = state.stoppedBy === null ? state.duty : 0
    if (from === to) return
    const why = pressure.highest?.why ?? 'nothing presses'
    this.#note(context, { about: 'duty', rule, from, to, why })
  }

  /** After a stop the work goes on at half, as after a gauge that was above its limit. */
  #noteStop(context: PaceContext, held: Holding | null, holds: Holding | null): void {
    if (holds === null) this.#duty = { ...this.#duty, duty: Math.max(this.#knobs.minDuty, this.#duty.duty / 2) }
    this.#note(context, {
      about: 'stop',
      rule: holds === null ? 'resume at half' : 'stop',
      from: held?.signal ?? 'none',
      to: holds?.signal ?? 'none',
      why: holds?.why ?? 'no stop holds any more',
    })
  }

  #rest(context: PaceContext, pressure: Pressure): Pause {
    const last = this.#last.get(context.lane ?? 0) ?? null
    const ceiling = this.#ceiling()
    const duty = Math.min(this.#duty.duty, ceiling)
    const owed = owedPause(context, last, { duty, maxDuty: this.#knobs.maxDuty, lookEveryMs: DECIDE_EVERY_MS })
    if (owed.ms <= 0) return { ms: 0, why: 'no pause' }
    const share = `works ${percent(duty)} of the time`
    const { ms, again } = owed
    if (owed.least) return { ms, again, reason: 'duty', why: 'lets other writers of the SQLite file in' }
    if (this.#duty.duty < ceiling && this.#duty.heldDownBy !== null) {
      const { heldDownBy } = this.#duty
      const why = pressure.highest?.name === heldDownBy ? pressure.highest.why : `${heldDownBy} pressed before`
      return { ms, again, reason: heldDownBy, why: `${share}: ${why}` }
    }
    if (ceiling < this.#knobs.maxDuty) {
      return { ms, again, reason: 'foreground', why: `${share}: ${this.#foreground.why}` }
    }
    return { ms, again, reason: 'duty', why: share }
  }

  #targetFor(context: PaceContext): Pick<Pause, 'targetMs' | 'statements'> {
    // Who may read the signal may measure it.
    const wal = context.readings.some(({ signal, verdict }) => signal === WAL_RATE && verdict !== 'unknown')
    const targetMs = this.#allowedTargetMs(context) * this.#target.share
    // On SQLite the lock that others wait for is held by the batch, however many statements it has. For somebody who was
    // never seen small batches are enough.
    const { sharedStatementMs, sharedRestMs } = this.#knobs
    const { mode, seenMs } = this.#foreground
    const inStatements = mode === 'shared' && seenMs !== null && context.dialect === 'postgres'
    return {
      ...(targetMs < context.targetMs ? { targetMs } : {}),
      ...(inStatements ? { statements: { ms: sharedStatementMs, restMs: sharedRestMs, wal } } : {}),
    }
  }

  #allowedTargetMs({ targetMs }: PaceContext): number {
    const { mode, seenMs } = this.#foreground
    if (mode === 'idle') return targetMs
    // Who was never seen is known in a moment, and until then batches that are too short only lose time.
    return Math.min(
      targetMs,
      seenMs === null ? Math.max(this.#knobs.sharedTargetMs, UNSEEN_TARGET_MS) : this.#knobs.sharedTargetMs,
    )
  }

  /** The most that the duty may be, with the room of this moment or with another. */
  #ceiling(room = this.#room): number {
    const { maxDuty, sharedDuty } = this.#knobs
    const { mode, seenMs } = this.#foreground
    // The first look is over after a few small batches: rests beside somebody who was never seen would be most of that
    // time.
    if (mode === 'idle' || seenMs === null) return maxDuty
    return Math.min(maxDuty, sharedDuty * room)
  }

  #pressure({ readings, nowMs, lanes }: PaceContext): Pressure {
    const shared = this.#foreground.mode === 'shared'
    return pressureOf(readings, this.#knobs, shared, this.#commitTime.gauge(nowMs), { own: this.#ownWal, lanes })
  }

  #note({ epochMs, readings }: PaceContext, decision: Omit<PaceDecision, 'epochMs' | 'inputs'>): void {
    const inputs = readings.map(({ signal, value, verdict }) => ({ signal, value, verdict }))
    this.#decisions.push({ epochMs, ...decision, inputs })
  }
}

function stopped({ signal, why }: Holding): Pause {
  return { ms: DECIDE_EVERY_MS, again: true, reason: signal, why: `stopped: ${why}` }
}

function percent(share: number): string {
  return `${(share * 100).toPrecision(2)} %`
}
