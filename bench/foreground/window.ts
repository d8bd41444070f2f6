import { setTimeout as delay } from 'node:timers/promises'
import type { Backfiller } from '../contestants/backfiller.js'
import { Work } from '../contestants/work.js'
import { watchProcessors, type ProcessorTime } from '../measure/processors.js'
import { summarise, type LatencySummary, type Transaction } from './latency.js'

/** What one contestant did beside a foreground, and what that one felt. */
export interface WindowResult {
  /** Rows a second; NaN where nobody backfilled, or no statement was through. */
  readonly rate: number
  readonly processors: ProcessorTime
  /** By the loads' names. */
  readonly loads: Readonly<Record<string, LatencySummary>>
}

/** Runs for so many seconds; resolves when it runs to the transactions of its loads, by their names. */
export type Foreground = (seconds: number) => Promise<Readonly<Record<string, Promise<readonly Transaction[]>>>>

/**
 * The foreground runs alone first, so that its connections and caches are warm; then the backfill gets a second to find
 * its size; and at the end the foreground runs on until nobody waits any more.
 */
const WARM_UP_MS = 700
const SETTLE_MS = 1_000
const DRAIN_MS = 500

/**
 * Runs a foreground, and beside it for `seconds` a backfill, and looks at the transactions that were due while both
 * ran; the worst one also while the backfill settled. A contestant that is through begins anew. Null backfills nothing.
 */
export async function measureWindow<Subject>(
  backfiller: Backfiller<Subject> | null,
  subject: Subject,
  foreground: Foreground,
  seconds: number,
): Promise<WindowResult> {
  const endMs = SETTLE_MS + seconds * 1_000
  // pgbench takes whole seconds.
  const running = await foreground(Math.ceil((WARM_UP_MS + endMs + DRAIN_MS) / 1_000))
  const logs = Promise.all(Object.values(running))
  const backfilled = delay(WARM_UP_MS).then(() => backfillFor(backfiller, subject, endMs))
  const [transactions, { work, startedMs, startedEpochMs, processors }] = await Promise.all([logs, backfilled])
  const felt = (load: readonly Transaction[] = []) => ({
    ...summarise(load, startedEpochMs + SETTLE_MS, startedEpochMs + endMs),
    worst: summarise(load, startedEpochMs, startedEpochMs + endMs).worst,
  })
  return {
    rate: rateOf(backfiller, work, startedMs + SETTLE_MS, startedMs + endMs),
    processors,
    loads: Object.fromEntries(Object.keys(running).map((name, index) => [name, felt(transactions[index])])),
  }
}

async function backfillFor<Subject>(backfiller: Backfiller<Subject> | null, subject: Subject, ms: number) {
  const work = new Work()
  const startedMs = performance.now()
  const startedEpochMs = Date.now()
  const processors = watchProcessors()
  const timer = setTimeout(() => work.stop(), ms)
  await (backfiller ? backfiller.run(subject, work, { passes: true }) : delay(ms))
  clearTimeout(timer)
  return { work, startedMs, startedEpochMs, processors: processors() }
}

// One statement for the whole table tells of itself only when it is through: its time counts, wherever that lies.
function rateOf(backfiller: Backfiller<never> | null, work: Work, fromMs: number, untilMs: number): number {
  if (backfiller === null) return Number.NaN
  return backfiller.wholeTable ? work.rate() : work.rateBetween(fromMs, untilMs)
}
