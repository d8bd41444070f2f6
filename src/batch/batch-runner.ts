import { askPermission, ControllerError, type Controller, type Permission } from '../controller.js'
import { classifyError, wantsSmallerBatch } from '../databases/error-class.js'
import { pipelinedTransaction } from '../databases/pipelined-transaction.js'
import { BatchDeadlineError, LeaseLostError, StalledError, UpdaterAbortedError } from '../errors.js'
import { describe } from '../options.js'
import type { BatchLimits, PaceSample } from '../pacing/pace.js'
import type { TunerDecision } from '../pacing/tuner.js'
import { backOffMs } from '../queue/failure-policy.js'
import type { Lease } from '../queue/lease.js'
import type { Waiting } from '../queue/reasons.js'
import type { ClaimedState } from '../queue/batch-record.js'
import { LaneChangedError } from '../queue/lane-store.js'
import type { Precedence } from '../queue/queue-store.js'
import { settingsOf } from '../settings.js'
import type { UpdateDefinition } from '../updates/definition.js'
import { BatchPlanner } from './batch-planner.js'
import { startHeartbeat } from './heartbeat.js'
import { LaneTaker } from './lane-taker.js'
import { logPreview } from './log-preview.js'
import { refuseChangedDefinition } from './needs-decision.js'
import { OvertakenError } from './overtaken.js'
import { recordFailure, type FailureParts } from './record-failure.js'
import { runOneShot } from './run-one-shot.js'
import { HandlerConnectionError } from './handler-connection.js'
import { retrySerialization } from './retry-serialization.js'
import { runTransaction } from './run-transaction.js'
import { STALLED_AFTER, type BatchPlan, type BatchReport, type Work } from './work.js'

/** What a runner is made of; randomness and identity come in from outside. */
export interface BatchRunnerParts<Tx> extends FailureParts<Tx> {
  readonly owner: string
  readonly newToken: () => string
  /** Works on lanes of split updates only, beside another runner of this process. */
  readonly lanesOnly: boolean
  /** There are more lanes than before. */
  readonly onMoreLanes: () => void
  /** Told of every committed batch. */
  readonly committed: (sample: Omit<PaceSample, 'nowMs'>) => void
}

/** What came of asking for a batch. */
export type BatchOutcome = 'ran' | 'not run' | 'overtaken'

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
  readonly #lanes: LaneTaker<Tx>
  // A lane that was lost together with the connection: its lease is still there, and nobody has its token but we.
  #abandoned: Lease | null = null
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
    this.#lanes = new LaneTaker(parts)
  }

  /**
   * One batch of one update. `ran` whether it was committed or not; `not run` when it didn't come to that: the lease is
   * somebody else's, or `stop` aborted while the controller was asked; `overtaken` when the queue has to be looked at.
   * `paced` is what the pace allows; a controller wins over it.
   *
   * @throws UpdaterAbortedError in strict mode
   * @throws whatever shows that the database is away: that is nobody's failure
   */
  async run(
    definition: UpdateDefinition<Tx, never>,
    signals: { stop: AbortSignal; cancel: AbortSignal },
    precedence: Precedence,
    paced: BatchLimits = {},
  ): Promise<BatchOutcome> {
    const held = await this.#hold(definition)
    if (held === null) return 'not run'
    let permission: Permission | null = null
    try {
      permission = await this.#permission(definition, signals.stop)
      if (permission === null) return 'not run'
      this.#refusals.delete(definition.name)
    } catch (error) {
      await this.#delay(definition, error)
      return 'not run'
    }
    let failure: unknown
    try {
      const allowed = this.controller === null ? paced : {}
      return await this.#runHeld(definition, held, permission, allowed, signals.cancel, precedence)
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

  /** Whether this runner holds the update, or a lane of it, since its last batch. */
  holds(updateName: string): boolean {
    return this.#held?.lease.updateName === updateName
  }

  /** The update of which this runner holds a lane, or null. */
  get lanedUpdate(): string | null {
    const lease = this.#held?.lease
    return lease?.lane === null || lease === undefined ? null : lease.updateName
  }

  /** Whether it may be worth trying to get a lane of an update although none is free. */
  mayDivide(updateName: string): boolean {
    return this.#lanes.mayDivide(updateName)
  }

  /** Cancels the running batch of an update in the server, because its row is gone. */
  cancel(updateName: string): void {
    this.#planner.forget(updateName)
    if (this.current === updateName) this.#cancelCurrent?.abort(new LeaseLostError(updateName))
  }

  /** The tuner's last decisions, oldest first; empty unless the update ran here. */
  explainTuner(updateName: string): readonly TunerDecision[] {
    return this.#planner.remembered(updateName)?.tuner.explain() ?? []
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
    await this.#giveUpAbandoned()
    const { owner, events, lanesOnly } = this.#parts
    const taken = (lanesOnly ? null : await this.#takeWhole(definition)) ?? (await this.#lanes.take(definition))
    if (taken === null) return null
    this.#held = { ...taken, work: null }
    events.emit('lease:taken', { ...this.#identity(definition.name, taken.lease), owner })
    if (!lanesOnly && !this.#planner.remembered(definition.name)) {
      events.emit('update:start', this.#identity(definition.name))
    }
    return this.#held
  }

  // Null when somebody else holds it, or when it was split, just now or before.
  async #takeWhole(definition: UpdateDefinition<Tx, never>): Promise<Pick<Held, 'lease' | 'claimed'> | null> {
    const { around, owner, newToken } = this.#parts
    const lease: Lease = { updateName: definition.name, owner, token: newToken(), lane: null }
    const claimed = await around.store.claim(lease, around.leaseMs, definition.fingerprint ?? null)
    if (claimed === null || (await this.#lanes.split(definition, lease, claimed))) return null
    return { lease, claimed }
  }

  async #giveUpAbandoned(): Promise<void> {
    if (this.#abandoned === null) return
    await this.#parts.around.store.release(this.#abandoned)
    this.#abandoned = null
  }

  async #permission(definition: UpdateDefinition<Tx, never>, stop: AbortSignal): Promise<Permission | null> {
    const own = settingsOf(this.#parts.settings, definition)
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
    paced: BatchLimits,
    cancel: AbortSignal,
    precedence: Precedence,
  ): Promise<BatchOutcome> {
    const { around, events } = this.#parts
    const gone = new AbortController()
    // Cheaper than AbortSignal.any(), which this would need for every batch.
    const passOn = () => gone.abort(cancel.reason)
    cancel.addEventListener('abort', passOn, { once: true })
    if (cancel.aborted) passOn()
    this.#cancelCurrent = gone
    this.current = definition.name
    this.#batchError = undefined
    const stopHeartbeat = startHeartbeat(around.store, held.lease, around.leaseMs, () =>
      gone.abort(new LeaseLostError(definition.name)),
    )
    try {
      if (definition.on !== undefined && definition.on !== around.database.dialect)
        return await this.#notApplicable(held.lease)
      refuseChangedDefinition(definition, held.claimed)
      held.work ??= this.#planner.resume(definition, held.lease, held.claimed, permission)
      const { work } = held
      await this.#check(definition, held.claimed)
      const plan = this.#planner.plan(definition, held.lease, work, permission, paced, gone.signal, precedence)
      events.emit('batch:start', {
        ...this.#identity(definition.name, held.lease),
        batchSize: plan.batchSize,
        targetMs: plan.targetMs,
      })
      // What an attempt that wasn't committed has remembered is forgotten.
      const before = { ...work }
      const report = definition.oneShot
        ? await runOneShot(around, definition, work, plan)
        : await retrySerialization(() => runTransaction(around, definition, Object.assign(work, before), plan), {
            signal: plan.signal,
            random: this.#parts.random,
          })
      const { items, durationMs } = report
      this.#parts.committed({ updateName: definition.name, items, durationMs, commitMs: work.commitMs })
      this.#recordSuccess(definition, plan, report)
      return 'ran'
    } catch (error) {
      return await this.#recordFailure(definition, held, error, {
        cancelled: cancel.aborted,
        gone: gone.signal.aborted,
      })
    } finally {
      cancel.removeEventListener('abort', passOn)
      this.#lastBeat = stopHeartbeat()
      this.current = null
      this.#cancelCurrent = null
    }
  }

  async #check(definition: UpdateDefinition<Tx, never>, { batches }: ClaimedState): Promise<void> {
    if (this.#checked.has(definition.name)) return
    const { store, database } = this.#parts.around
    await definition.check?.({ query: store.read, dialect: database.dialect })
    if (batches === 0 && definition.deletes === true) await logPreview(this.#parts.around, definition)
    this.#checked.add(definition.name)
  }

  async #notApplicable(lease: Lease): Promise<BatchOutcome> {
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
    const closing = around.store.finishing(lease, ending)
    await pipelinedTransaction(around.database, [], async () => ({ result: undefined, closing }))
    this.#held = null
    events.emit('update:complete', { ...this.#identity(lease.updateName), outcome: 'not applicable' })
    return 'ran'
  }

  #recordSuccess(definition: UpdateDefinition<Tx, never>, plan: BatchPlan, report: BatchReport): void {
    const { around, events, backOffs } = this.#parts
    const identity = this.#identity(definition.name)
    const { items, durationMs, done } = report
    if (report.laneEnded) this.#held = null
    backOffs.clear(definition.name)
    this.#failuresInARow = 0
    this.#planner.committed(definition.name)
    const batch = { items, durationMs, batchSize: plan.batchSize, done }
    events.emit('batch:success', { ...this.#identity(definition.name, plan.lease), ...batch })
    around.log.debug({ update: definition.name, items, durationMs, batchSize: plan.batchSize }, 'batch committed')
    if (done) {
      this.#held = null
      this.#planner.forget(definition.name)
      around.log.info({ update: definition.name, database: around.databaseName }, 'update complete')
      events.emit('update:complete', { ...identity, outcome: 'completed' })
    } else if (report.stalled) {
      const error = new StalledError(definition.name, STALLED_AFTER)
      events.emit('update:stall', { ...identity, error })
      // As any other failure: strict mode wants to hear of it too.
      throw error
    }
  }

  async #recordFailure(
    definition: UpdateDefinition<Tx, never>,
    held: Held,
    thrown: unknown,
    why: { cancelled: boolean; gone: boolean },
  ): Promise<BatchOutcome> {
    const { around, events, owner } = this.#parts
    // The lane of the batch is read anew by the fence of the next one.
    if (thrown instanceof OvertakenError || thrown instanceof LaneChangedError) return 'overtaken'
    const error = toError(thrown)
    const work = this.#planner.remembered(definition.name) ?? null
    this.#batchError = error
    if (why.cancelled) return 'not run'
    if (why.gone || error instanceof LeaseLostError) {
      this.#held = null
      const stillOurs = await around.store.release(held.lease).catch(() => false)
      if (!stillOurs) {
        around.log.warn({ update: definition.name }, 'the lease was lost: the batch was rolled back')
        events.emit('lease:lost', { ...this.#identity(definition.name, held.lease), owner })
      }
      return 'not run'
    }
    const errorClass = error instanceof HandlerConnectionError ? 'other' : classifyError(error)
    if (errorClass === 'connection') {
      // What was remembered may be of a batch that wasn't committed: the row is read anew.
      this.#held = null
      if (held.lease.lane !== null) this.#abandoned = held.lease
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
    return 'ran'
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

  #identity(updateName: string, lease?: Lease) {
    const ofLane = lease === undefined || lease.lane === null ? {} : { lane: lease.lane }
    return { databaseName: this.#parts.around.databaseName, updateName, ...ofLane }
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error(`${describe(thrown)} was thrown, which is no Error`, { cause: thrown })
}
