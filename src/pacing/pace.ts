import type { Reading, Verdict } from './reading.js'

/** The kinds of database. */
export type PaceDialect = 'postgres' | 'sqlite'

/** What a pace knows when it decides. */
export interface PaceContext {
  readonly updateName: string
  /** Monotonic time in ms. */
  readonly nowMs: number
  /** Wall-clock time in ms since 1970, for time windows. */
  readonly epochMs: number
  /** How long a batch of this update may take at most, in ms. */
  readonly targetMs: number
  /** The newest readings of the signals; empty when nothing is measured. */
  readonly readings: readonly Reading[]
  /** Names of the signals that are configured, read already or not. */
  readonly signals: readonly string[]
  /** How many batches may be under way at the same time on this database, over all processes; at least 1. */
  readonly lanes: number
  /** Which of this process's lanes wants to start a batch. Default 0. */
  readonly lane?: number
  readonly dialect: PaceDialect
}

/** What one batch did, told after it. */
export interface PaceSample {
  readonly updateName: string
  /** Which of this process's lanes ran it. Default 0. */
  readonly lane?: number
  /** When it ended, by the monotonic clock in ms. */
  readonly nowMs: number
  readonly items: number
  /** The whole batch, in ms. */
  readonly durationMs: number
  /** COMMIT alone, in ms. */
  readonly commitMs: number
  /** Where `StatementLimits.wal` asked for it and the server tells it. */
  readonly wal?: WalSample
}

/** WAL that was written while a statement of a batch ran, by whomever. */
export interface WalSample {
  readonly bytes: number
  /** How long the server worked on what was measured, in ms. */
  readonly ms: number
  /** How many of the batch's items that were. */
  readonly items: number
}

/** How the statements of a batch make way for others. */
export interface StatementLimits {
  /** How long one of them may work in the server, in ms. */
  readonly ms: number
  /** The rest between two of them, in ms. It isn't counted into what a batch may take. */
  readonly restMs: number
  /** Measures the WAL as well, for a role that may look at it: the batch fails otherwise. Default false. */
  readonly wal?: boolean
}

/** What a pace allows the next batch. */
export interface BatchLimits {
  /** A smaller target than the update's own, in ms. */
  readonly targetMs?: number
  /** Cuts the batch into small statements with rests between. Default: it is one statement. */
  readonly statements?: StatementLimits
  /** The most items that it may have; at least 1. */
  readonly maxItems?: number
  /** Why batches are kept apart now, for people; the pacer says it from `why`. */
  readonly waitingText?: string
}

/** How long to wait before the next batch, and why. Pure: the run loop does the waiting. */
export interface Pause extends BatchLimits {
  /** In ms; 0 starts the batch at once. */
  readonly ms: number
  /** For people: why it waits. */
  readonly why: string
  /** For programs: which signal, budget or rule holds it; `duty` for the ordinary pause. */
  readonly reason?: string
  /** True when the pace wants to be asked again after the pause, instead of a batch. */
  readonly again?: boolean
}

/** One decision of a pace, kept so that it can be explained. */
export interface PaceDecision {
  /** Wall-clock time in ms since 1970. */
  readonly epochMs: number
  /** What changed: the share of the time, the mode, the cut of the target in shares of it, or whether a stop holds. */
  readonly about: 'duty' | 'mode' | 'target' | 'stop'
  /** Which rule fired. */
  readonly rule: string
  readonly from: number | string
  readonly to: number | string
  /** What was read. */
  readonly inputs: readonly PaceInput[]
  /** One sentence for a person. */
  readonly why: string
}

/** What a decision was made from. */
export interface PaceInput {
  readonly signal: string
  /** In the signal's own unit; null when it couldn't be told. */
  readonly value: number | null
  readonly verdict: Verdict
}

/** What a pace is at, and the last decisions that led there, oldest first. */
export interface PaceExplanation {
  /** The share of the time that may go to batches, above 0 to 1; 0 while it is stopped; null when it has no such thing. */
  readonly duty: number | null
  /** `shared` while somebody else works on the database; null when the pace doesn't know. */
  readonly mode: 'shared' | 'idle' | null
  readonly decisions: readonly PaceDecision[]
}

/** Decides when the next batch may start. */
export interface Pace {
  /** True when it never looks at `readings`: then nothing is measured for it. */
  readonly ignoresSignals?: boolean
  beforeBatch(context: PaceContext): Pause
  afterBatch?(sample: PaceSample): void
  explain?(): PaceExplanation
}
