import { askPermission, ControllerError, type Controller, type Permission } from '../controller.js'
import { classifyError, wantsSmallerBatch } from '../databases/error-class.js'
import { BatchDeadlineError, LeaseLostError, StalledError, UpdaterAbortedError } from '../errors.js'
import { describe } from '../options.js'
import { backOffMs } from '../queue/failure-policy.js'
import type { Lease } from '../queue/lease.js'
import type { Waiting } from '../queue/reasons.js'
import type { ClaimedState } from '../queue/queue-store.js'
import { settingsOf } from '../settings.js'
import type { UpdateDefinition } from '../updates/definition.js'
import { BatchPlanner } from './batch-planner.js'
import { startHeartbeat } from './heartbeat.js'
import { recordFailure, type FailureParts } from './record-failure.js'
import { runOneShot } from './run-one-shot.js'
import { HandlerConnectionError } from './handler-connection.js'
import { runTransaction } from './run-transaction.js'
import { STALLED_AFTER, type BatchPlan, type BatchReport, type Work } from './work.js'

/** What a runner is made of; randomness and identity come in from outside. */
export interface BatchRunnerParts<Tx> extends FailureParts<Tx> {
  readonly owner: string
  readonly newToken: () => string
}

interface Held {
  readonly lease: Lease
  readonly claimed: ClaimedState
  /** Null before the first batch under this lease. */
  work: Work | null
}

/** Takes leases and runs batches, one at a time, and records what came of them. */
export class BatchRunner<Tx> {
  controller: Controller | null = null
  /** The update whose controller is being asked, for status. */
  waitingForController: string | null = null
  /** The update whose batch is running. */
  current: string | null = null
  readonly #parts: BatchRunnerParts<Tx>
  readonly #planner: BatchPlanner<Tx>
  // Invariant: the lease of the update that ran last; it is released before another is claimed.
  #held: Held | null = null
  // Updates whose options were held against the catalogue in this process.
  readonly #checked = new Set<string>()
  // How often the controller refused each update in a row, and its last error.
  readonly #refusals = new Map<string, { readonly times: number; readonly error: Error }>()
  #cancelCurrent: AbortController | null = null
  // Settles when the heartbeat of the last batch is over; who releases the lease wants nothing left running.
  #lastBeat: Promise<void> = Promise.resolve()
  // What the last batch failed with, for the controller; undefined when it was committed.
  #batchError: Error | undefined
  // Failed batches of any update since the last one that was committed, for strict mode.
  #failuresInARow = 0

  constructor(parts: BatchRunnerParts<Tx>) {
    this.#parts = parts
    this.#planner = new BatchPlanner(parts.settings)
  }

  /**
   * One batch of one update. True when it ran, committed or not; false when it didn't come to that: the lease is
   * somebody else's, or `stop` aborted while the controller was asked.
   *
   * @throws UpdaterAbortedError in strict mode
   * @throws whatever shows that the database is away: that is nobody's failure
   */
  async run(
    definition: UpdateDefinition<Tx, never>,
    signals: { stop: AbortSignal; cancel: AbortSignal },
  ): Promise<boolean> {
    const held = await this.#hold(definition)
    if (held === null) return false
    let permission: Permission | null = null
    try {
      permission = await this.#permission(definition, signals.stop)
      if (permission === null) return false
      this.#refusals.delete(definition.name)
    } catch (error) {
      await this.#delay(definition, error)
      return false
    }
    let failure: unknown
    try {
      return await this.#runHeld(definition, held, permission, signals.cancel)
    } catch (error) {
      failure = error
      throw error
    } finally {
      const disposeError = await permission.dispose(failure ?? this.#batchError)
      if (disposeError !== undefined)
        this.#parts.around.log.error(
          { update: definition.name, error: disposeError },
          'the controller threw when a batch had ended',
        )
    }
  }

  /** Gives the lease back; errors don't matter, for it runs out by itself. */
  async release(): Promise<void> {
    const held = this.#held
    this.#held = null
    await this.#lastBeat
    if (held) await this.#parts.around.store.release(held.lease).catch(() => {})
  }

  /** Cancels the running batch of an update in the server, because its row is gone. */
  cancel(updateName: string): void {
    this.#planner.forget(updateName)
    if (this.current === updateName) this.#cancelCurrent?.abort(new LeaseLostError(updateName))
  }

  /** Why this process holds updates back although the queue doesn't. */
  localReasons(): Map<string, Waiting> {
    const reasons = new Map<string, Waiting>()
    for (const [name, { error }] of this.#refusals) {
      if (this.#parts.backOffs.isHeldBack(name, 0)) reasons.set(name, { code: 'controller', text: error.message })
    }
    if (this.waitingForController !== null) {
      reasons.set(this.waitingForController, { code: 'controller', text: 'waits for the controller' })
    }
    return reasons
  }

  async #hold(definition: UpdateDefinition<Tx, never>): Promise<Held | null> {
    if (this.#held?.lease.updateName === definition.name) return this.#held
    await this.release()
    const { around, owner, newToken, events } = this.#parts
    const lease: Lease = { updateName: definition.name, owner, token: newToken() }
    const claimed = await around.store.claim(lease, around.leaseMs)
    if (claimed === null) return null
    this.#held = { lease, claimed, work: null }
    events.emit('lease:taken', { ...this.#identity(definition.name), owner })
    if (!this.#planner.remembered(definition.name)) events.emit('update:start', this.#identity(definition.name))
    return this.#held
  }

  async #permission(definition: UpdateDefinition<Tx, never>, stop: AbortSignal): Promise<Permission | null> {
    const own = settingsOf(this.#parts.settings, definition.settings)
    if (this.controller === null) {
      return {
        targetMs: own.targetMs,
        defaultBatchSize: undefined,
        minBatchSize: undefined,
        dispose: async () => undefined,
      }
    }
    this.waitingForController = definition.name
    try {
      return await askPermission(
        this.controller,
        { ...this.#identity(definition.name), oneShot: definition.oneShot },
        stop,
      )
    } finally {
      this.waitingForController = null
    }
  }

  async #runHeld(
    definition: UpdateDefinition<Tx, never>,
    held: Held,
    permission: Permission,
    cancel: AbortSignal,
  ): Promise<boolean> {
    const { around, events } = this.#parts
    const gone = new AbortController()
    this.#cancelCurrent = gone
    this.current = definition.name
    this.#batchError = undefined
    const stopHeartbeat = startHeartbeat(around.store, held.lease, around.leaseMs, () =>
      gone.abort(new LeaseLostError(definition.name)),
    )
    try {
      if (definition.on !== undefined && definition.on !== around.database.dialect)
        return await this.#notApplicable(held.lease)
      held.work ??= this.#planner.resume(definition, held.claimed, permission)
      const { work } = held
      await this.#check(definition)
      const plan = this.#planner.plan(definition, held.lease, work, permission, AbortSignal.any([cancel, gone.signal]))
      events.emit('batch:start', {
        ...this.#identity(definition.name),
        batchSize: plan.batchSize,
        targetMs: plan.targetMs,
      })
      const report = definition.oneShot
        ? await runOneShot(around, definition, work, plan)
        : await runTransaction(around, definition, work, plan)
      await this.#recordSuccess(definition, held.lease, plan, report)
      return true
    } catch (error) {
      return await this.#recordFailure(definition, held, error, {
        cancelled: cancel.aborted,
        gone: gone.signal.aborted,
      })
    } finally {
      this.#lastBeat = stopHeartbeat()
      this.current = null
      this.#cancelCurrent = null
    }
  }

  async #check(definition: UpdateDefinition<Tx, never>): Promise<void> {
    if (this.#checked.has(definition.name)) return
    const { store, database } = this.#parts.around
    await definition.check?.({ query: store.read, dialect: database.dialect })
    this.#checked.add(definition.name)
  }

  async #notApplicable(lease: Lease): Promise<boolean> {
    const { around, events } = this.#parts
    const ending = {
      outcome: 'not applicable',
      by: lease.owner,
      reason: null,
      progressJson: null,
      batches: 0,
      items: 0,
      busyMs: 0,
    } as const
    await around.database.transaction((tx) => around.store.finish(around.store.within(tx), lease, ending))
    this.#held = null
    events.emit('update:complete', { ...this.#identity(lease.updateName), outcome: 'not applicable' })
    return true
  }

  async #recordSuccess(
    definition: UpdateDefinition<Tx, never>,
    lease: Lease,
    plan: BatchPlan,
    report: BatchReport,
  ): Promise<void> {
    const { around, events, backOffs } = this.#parts
    const identity = this.#identity(definition.name)
    const { items, durationMs, done } = report
    backOffs.clear(definition.name)
    this.#failuresInARow = 0
    this.#planner.committed(definition.name)
    events.emit('batch:success', { ...identity, items, durationMs, batchSize: plan.batchSize, done })
    around.log.debug({ update: definition.name, items, durationMs, batchSize: plan.batchSize }, 'batch committed')
    if (done) {
      this.#held = null
      this.#planner.forget(definition.name)
      around.log.info({ update: definition.name, database: around.databaseName }, 'update complete')
      events.emit('update:complete', { ...identity, outcome: 'completed' })
    } else if (report.stalled) {
      const error = new StalledError(definition.name, STALLED_AFTER)
      events.emit('update:stall', { ...identity, error })
      await this.#fail(definition, lease, error)
    }
  }

  async #recordFailure(
    definition: UpdateDefinition<Tx, never>,
    held: Held,
    thrown: unknown,
    why: { cancelled: boolean; gone: boolean },
  ): Promise<boolean> {
    const { around, events, owner } = this.#parts
    const error = toError(thrown)
    const work = this.#planner.remembered(definition.name) ?? null
    this.#batchError = error
    if (why.cancelled) return false
    if (why.gone || error instanceof LeaseLostError) {
      this.#held = null
      const stillOurs = await around.store.release(held.lease).catch(() => false)
      if (!stillOurs) {
        around.log.warn({ update: definition.name }, 'the lease was lost: the batch was rolled back')
        events.emit('lease:lost', { ...this.#identity(definition.name), owner })
      }
      return false
    }
    const errorClass = error instanceof HandlerConnectionError ? 'other' : classifyError(error)
    if (errorClass === 'connection') {
      // What was remembered may be of a batch that wasn't committed: the row is read anew.
      this.#held = null
      this.#planner.forget(definition.name)
      throw error
    }
    if (error instanceof BatchDeadlineError) {
      // The tuner makes the next batch smaller by itself.
      work?.tuner.record({ items: 0, durationMs: error.deadlineMs, cancelled: true })
    } else if (wantsSmallerBatch(errorClass)) {
      this.#planner.halve(definition.name)
    }
    await this.#fail(definition, held.lease, error, work)
    return true
  }

  async #fail(
    definition: UpdateDefinition<Tx, never>,
    lease: Lease,
    error: Error,
    work: Work | null = null,
  ): Promise<void> {
    this.#held = null
    this.#checked.delete(definition.name)
    this.#failuresInARow += 1
    const failure = { error, from: work?.from ?? null, failuresInARow: this.#failuresInARow }
    try {
      await recordFailure(this.#parts, definition, lease, failure)
    } catch (thrown) {
      if (thrown instanceof UpdaterAbortedError) this.#failuresInARow = 0
      throw thrown
    }
  }

  // A controller that throws holds the update back for a while; nothing is counted on its row.
  async #delay(definition: UpdateDefinition<Tx, never>, thrown: unknown): Promise<void> {
    const { around, backOffs, random } = this.#parts
    const error =
      thrown instanceof ControllerError ? thrown : new ControllerError(definition.name, toError(thrown).message, thrown)
    const times = (this.#refusals.get(definition.name)?.times ?? 0) + 1
    this.#refusals.set(definition.name, { times, error })
    backOffs.set(definition.name, backOffMs(times, random))
    around.log.warn({ update: definition.name, error }, error.message)
    await this.release()
  }

  #identity(updateName: string) {
    return { databaseName: this.#parts.around.databaseName, updateName }
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error(`${describe(thrown)} was thrown, which is no Error`, { cause: thrown })
}
