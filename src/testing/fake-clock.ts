import type { Clock } from '../clock.js'
import { describe, refuseProblems, requireReadable, unknownOptionProblems } from '../options.js'

/** A clock that moves only when it is told to, for tests of pauses and of batch sizes. */
export interface FakeClock extends Clock {
  /** Moves the time and wakes whoever has slept long enough. */
  advance(ms: number): void
  /** Durations of all sleeps so far, in ms, in the order in which they began. */
  readonly sleeps: readonly number[]
  /** Resolves when somebody sleeps. */
  sleeping(): Promise<void>
}

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

/**
 * A clock for tests. With `autoAdvance`, a sleep ends at once and moves the time by its duration.
 *
 * @example
 * import { fakeClock } from 'evenkeel/testing'
 *
 * const clock = fakeClock()
 * clock.advance(1_000)
 */
export function fakeClock(options: { readonly startMs?: number; readonly autoAdvance?: boolean } = {}): FakeClock {
  requireReadable('fakeClock', options)
  const problems =
    typeof options === 'object' && options !== null
      ? unknownOptionProblems(options, ['startMs', 'autoAdvance'])
      : [`options must be an object, not ${describe(options)}`]
  refuseProblems('fakeClock', problems)
  const { startMs = 0, autoAdvance = false } = options
  let now = startMs
  const sleeps: number[] = []
  const sleepers = new Set<Sleeper>()
  let watchers: (() => void)[] = []
  const advance = (ms: number) => {
    now += ms
    const due = [...sleepers].filter((sleeper) => sleeper.until <= now)
    for (const sleeper of due.sort((a, b) => a.until - b.until)) sleeper.wake()
  }
  return {
    sleeps,
    nowMs: () => now,
    advance,
    sleep(ms, signal) {
      sleeps.push(ms)
      if (autoAdvance) advance(ms)
      if (autoAdvance || ms <= 0 || signal?.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const wake = () => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        const sleeper: Sleeper = { until: now + ms, wake }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', wake, { once: true })
        for (const watcher of watchers) watcher()
        watchers = []
      })
    },
    sleeping() {
      if (sleepers.size > 0) return Promise.resolve()
      return new Promise((resolve) => watchers.push(resolve))
    },
  }
}
