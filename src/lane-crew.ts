import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { BatchRunner } from './batch/batch-runner.js'
import { sleepUnlessAborted, systemClock } from './clock.js'
import type { BatchLimits } from './pacing/pace.js'
import { QueueLook, type QueueLookParts } from './queue-look.js'
import type { QueueRow } from './queue/row.js'
import type { Registry } from './registry.js'
import { runLoop, type Rest } from './run-loop.js'
import { lanesWanted, type ResolvedSettings } from './settings.js'
import { underAny } from './under-any.js'
import { WakeUp } from './wake-up.js'

export interface LaneCrewParts<Tx> extends Omit<QueueLookParts<Tx>, 'batches'> {
  readonly registry: Registry<Tx>
  readonly helpers: readonly BatchRunner<Tx>[]
  readonly settings: ResolvedSettings
  /** A helper has let go of a lane: its update may have ended. */
  readonly onLaneLeft: () => void
}

/** How the helpers work this time. */
export interface CrewRun<Tx> {
  /** The updates to run. */
  readonly names: () => readonly string[]
  /** Ends it after the running batches. */
  readonly stop: AbortSignal
  /** Cancels the running batches. */
  readonly cancel: AbortSignal
  /** The pause before a batch of a helper, which is this process's `lane`-th. */
  readonly rest: (updateName: string, batches: BatchRunner<Tx>, lane: number) => Promise<Rest>
  readonly limitsOf: (updateName: string) => BatchLimits
  /** Waits for a database that is away; throws what ends the run. */
  readonly recover: (error: unknown) => Promise<void>
}

/**
 * Works on lanes beside the main loop: each helper takes a lane of the update that is next in the queue, when that one
 * was split. Whatever wasn't split is the main loop's alone, so that a process runs one update at a time.
 */
export class LaneCrew<Tx> {
  readonly #parts: LaneCrewParts<Tx>
  // Ends the waiting of those who found no lane.
  readonly #moreLanes = new WakeUp()
  // Invariant: true while a run has the helpers, each of which runs one batch at a time.
  #working = false

  constructor(parts: LaneCrewParts<Tx>) {
    this.#parts = parts
  }

  /** There may be a lane to take. */
  moreLanes(): void {
    this.#moreLanes.ring()
  }

  /**
   * Waits for its turn and runs until `stop` aborts; then no lane is held any more for it. Rejects with what ended a
   * helper, when all have ended.
   */
  async run(run: CrewRun<Tx>): Promise<void> {
    // Whoever is stopped before his turn doesn't wait for it.
    while (this.#working && !run.stop.aborted) await this.#idle(run.stop)
    if (run.stop.aborted) return
    this.#working = true
    try {
      await this.#work(run)
    } finally {
      this.#working = false
      this.#moreLanes.ring()
    }
  }

  async #work(run: CrewRun<Tx>): Promise<void> {
    const ended = new AbortController()
    await underAny([run.stop, ended.signal], async (stop) => {
      const helpers = this.#parts.helpers.map(async (batches, index) => {
        try {
          await this.#loop(batches, index + 1, { ...run, stop })
        } catch (error) {
          ended.abort()
          throw error
        } finally {
          await batches.release()
        }
      })
      const failed = (await Promise.allSettled(helpers)).find((helper) => helper.status === 'rejected')
      if (failed) throw failed.reason
    })
  }

  #loop(batches: BatchRunner<Tx>, lane: number, run: CrewRun<Tx>): Promise<void> {
    const look = new QueueLook({ ...this.#parts, batches })
    const pick = async () => {
      const next = await look.next(run.names())
      if (next !== null && this.#mayHelp(next.row, lane)) return next.row.name
      await batches.release()
      return null
    }
    const rest = async (updateName: string) => {
      const rested = await run.rest(updateName, batches, lane)
      if (rested === 'interrupted') look.forget()
      return rested
    }
    const steps = {
      pick,
      rest,
      batch: (updateName: string) => this.#batch(updateName, batches, look, run),
      idle: () => this.#idle(run.stop),
      recover: run.recover,
    }
    return runLoop<string>(steps, run.stop)
  }

  #mayHelp({ name, laneCount }: QueueRow, lane: number): boolean {
    const definition = this.#parts.registry.get(name)
    if (laneCount === 0 || definition === undefined || definition.oneShot) return false
    return lane < lanesWanted(this.#parts.settings, name, definition.lanes?.wanted)
  }

  async #batch(updateName: string, batches: BatchRunner<Tx>, look: QueueLook<Tx>, run: CrewRun<Tx>): Promise<void> {
    const definition = this.#parts.registry.get(updateName)
    if (definition === undefined) return
    await yieldToEventLoop()
    const precedence = look.precedenceOf(updateName, run.names())
    try {
      const outcome = await batches.run(definition, run, precedence, run.limitsOf(updateName))
      if (outcome !== 'ran') look.forget()
    } finally {
      if (!batches.holds(updateName)) this.#parts.onLaneLeft()
    }
  }

  async #idle(stop: AbortSignal): Promise<void> {
    const { pollMs } = this.#parts.settings
    await underAny([this.#moreLanes.signal, stop], (either) => sleepUnlessAborted(systemClock, pollMs, either))
    await yieldToEventLoop()
  }
}
