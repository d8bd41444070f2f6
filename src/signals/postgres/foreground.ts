import type { SignalSample } from '../../pacing/reading.js'
import { CounterWindow } from '../counter-window.js'
import type { OtherRunners, OwnWork } from '../own-work.js'
import type { Signal, SignalContext } from '../signal.js'
import { count, digits } from '../units.js'
import { activityOf } from './activity.js'
import { BegunStatements } from './begun-statements.js'

// Of the whole server: whoever works in another database of it shares disk, memory and WAL with us. A session reports
// its commits about once a second, so a rate over a shorter while would jump.
const COMMITS = `
  SELECT sum(xact_commit)::float8 AS commits
  FROM pg_stat_database`

const WINDOW_MS = 10_000
// A session reports its commits when it has the time: of those at the window's beginning some are reported within it, for
// each process of ours.
const UNREPORTED = 15
// What our own commits may be miscounted by, and for how long, in seconds, the newest of them aren't reported yet.
const OWN_ERROR = 0.1
const OWN_DELAY_SECONDS = 1
// What another runner of ours commits: to look at the queue and, when it works, at its signals; and for each batch.
const COMMITS_OF_RUNNER = 5
const COMMITS_OF_BATCH = 2
// Somebody is there: never as much as a reason to stop, which others of the signals give.
const PRESENT = 0.7
// Sessions tell of their commits about once a second.
const LEAST_SECONDS = 0.9

/**
 * Whether somebody else works on this server. The value is their commits per second; from `tps` on, or when a statement
 * of theirs runs for longer than a moment, the verdict is `pressure`, else `calm`. The utilisation stays below 1.
 */
export function foreground(tps: number): Signal {
  return {
    name: 'foreground',
    kind: 'gauge',
    intervalMs: 1_000,
    timeoutMs: 1_000,
    shared: true,
    open(own) {
      const rate = new ForeignCommits(own)
      const begun = new BegunStatements(own)
      return async (context) => {
        const { atLength, lookers } = await activityOf(context)
        const { runners, ...measured } = await rate.perSecond(context, lookers)
        if (atLength > 0 || (measured.foreign !== null && measured.seconds >= LEAST_SECONDS)) {
          return presence({ atLength, ...measured }, tps)
        }
        // A rate takes a second; who works at all is seen sooner, and until then we keep out of the way. But not
        // every session of our other processes can be told from those of strangers.
        if (runners > 0) return null
        const others = await begun.sinceFirstLook(context)
        return others === null ? null : presence({ atLength: others, ...measured, foreign: null }, tps)
      }
    },
  }
}

export interface Presence {
  /** Statements of others that have run for longer than a moment. */
  readonly atLength: number
  /** Commits per second of others; null when it takes another look. */
  readonly foreign: number | null
  /** Commits per second of our own. */
  readonly own: number
  /** How far the rates look back, in seconds. */
  readonly seconds: number
  /** Other processes of ours. */
  readonly processes: number
}

export function presence({ atLength, foreign, own, seconds, processes }: Presence, tps: number): SignalSample {
  const unreported = own * OWN_DELAY_SECONDS + UNREPORTED * (1 + processes)
  const limit = tps + own * OWN_ERROR + unreported / Math.max(seconds, 0.1)
  const present = atLength > 0 || (foreign ?? 0) > limit
  const rate = foreign === null ? 'not known yet' : digits(foreign)
  const running = atLength === 0 ? '' : `, ${count(atLength, 'statement')} of theirs at work`
  return {
    value: foreign,
    verdict: present ? 'pressure' : 'calm',
    utilisation: present ? PRESENT : Math.min(((foreign ?? 0) / limit) * 0.5, 0.5),
    why: `${present ? 'others are at work' : 'nobody else is at work'}: ${rate} commits/s that aren't ours${running}`,
  }
}

/**
 * What the server commits beside us: this process counts its own, and other runners of ours are estimated, those that
 * hold a lease and those whose sessions are seen to look for work.
 */
class ForeignCommits {
  readonly #own: OwnWork
  #all = new CounterWindow(WINDOW_MS)
  #ours = new CounterWindow(WINDOW_MS)
  readonly #batchesOfOthers = new CounterWindow(WINDOW_MS)
  #last = 0

  constructor(own: OwnWork) {
    this.#own = own
  }

  async perSecond(
    { query, nowMs }: SignalContext,
    lookers: readonly number[],
  ): Promise<Omit<Presence, 'atLength'> & Pick<OtherRunners, 'runners'>> {
    const { rows } = await query<{ commits: number }>(COMMITS)
    const commits = rows[0]?.commits ?? 0
    if (commits < this.#last) {
      // The server's statistics were reset: both begin anew, for they are held against each other.
      this.#all = new CounterWindow(WINDOW_MS)
      this.#ours = new CounterWindow(WINDOW_MS)
    }
    this.#last = commits
    const all = this.#all.perSecond(commits, nowMs)
    const here = this.#ours.perSecond(this.#own.commits(), nowMs) ?? 0
    const { perSecond, ...elsewhere } = await this.#elsewhere(query, nowMs, lookers)
    const own = here + perSecond
    const foreign = all === null ? null : Math.max(all - own, 0)
    return { ...elsewhere, foreign, own, seconds: this.#all.spanMs / 1_000 }
  }

  async #elsewhere(
    query: SignalContext['query'],
    nowMs: number,
    lookers: readonly number[],
  ): Promise<{ runners: number; processes: number; perSecond: number }> {
    const { runners, batches } = await this.#own.otherRunners(query)
    const rate = this.#batchesOfOthers.perSecond(batches, nowMs) ?? 0
    // One that takes over an update brings all batches of it: no runner commits as many in a second.
    const plausible = Math.min(rate, runners * 100)
    const here = this.#own.backends() ?? []
    const looking = lookers.filter((pid) => !here.includes(pid)).length
    const processes = Math.max(runners, looking)
    return { runners, processes, perSecond: processes * COMMITS_OF_RUNNER + plausible * COMMITS_OF_BATCH }
  }
}
