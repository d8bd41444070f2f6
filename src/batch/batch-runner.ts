import type { Controller, Permission } from '../controller.js'
import { classifyError, wantsSmallerBatch } from '../databases/error-class.js'
import { pipelinedTransaction } from '../databases/pipelined-transaction.js'
import { BatchDeadlineError, LeaseLostError, UpdaterAbortedError } from '../errors.js'
import type { BatchLimits, PaceSample } from '../pacing/pace.js'
import type { TunerDecision } from '../pacing/tuner.js'
import type { ClaimedState } from '../queue/batch-record.js'
import type { Lease } from '../queue/lease.js'
import type { Waiting } from '../queue/reasons.js'
import { LaneChangedError } from '../queue/lane-store.js'
import type { Precedence } from '../queue/fence.js'
import { settingsOf } from '../settings.js'
import { toError } from '../thrown.js'
import type { UpdateDefinition } from '../updates/definition.js'
import { Announcer } from './announcer.js'
import { BatchPlanner } from './batch-planner.js'
import { Cancellation } from './cancellation.js'
import { startHeartbeat } from './heartbeat.js'
import { LaneTaker } from './lane-taker.js'
import { LeaseHolder, type Held } from './lease-holder.js'
import { limitedQuery } from './limited-query.js'
import { logPreview } from './log-preview.js'
import { refuseChangedDefinition } from './needs-decision.js'
import { OvertakenError } from './overtaken.js'
import { Permissions } from './permissions.js'
import { recordFailure, type FailureParts } from './record-failure.js'
import { runOneShot } from './run-one-shot.js'
import { HandlerConnectionError } from './handler-connection.js'
import { retrySerialization } from './retry-serialization.js'
import { runTransaction } from './run-transaction.js'
import type { BatchPlan, BatchReport, Work } from './work.js'

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

/** Takes leases and runs batches, one at a time, and records what came of them. */
export class BatchRunner<Tx> {
  /** The update whose batch is running. */
  current: string | null = null
  readonly #parts: BatchRunnerParts<Tx>
  readonly #announcer: Announcer
  readonly #planner: BatchPlanner<Tx>
  readonly #permissions: Permissions<Tx>
  readonly #lanes: LaneTaker<Tx>
  readonly #holder: LeaseHolder<Tx>
  // Updates whose options were held against the catalogue in this process.
  readonly #checked = new Set<string>()
  readonly #cancellation = new Cancellation()
  #cancelCurrent: AbortController | null = null
  // What the last batch failed with, for the controller; undefined when it was committed.
  #batchError: Error | undefined
  // Failed batches of any update since the last one that was committed, for strict mode.
  #failuresInARow = 0

  constructor(parts: BatchRunnerParts<Tx>) {
    this.#parts = parts
    this.#planner = new BatchPlanner(parts.settings)
    const { around, events, settings, backOffs, random } = parts
    this.#announcer = new Announcer({ databaseName: around.databaseName, log: around.log, events })
    this.#permissions = new Permissions(around.databaseName, settings, backOffs, random)
    this.#lanes = new LaneTaker(parts)
    this.#holder = new LeaseHolder(parts, this.#lanes)
  }

  get controller(): Controller | null {
    return this.#permissions.controller
  }

  set controller(controller: Controller | null) {
    this.#permissions.controller = controller
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
    const permission = await this.#permissions.ask(definition, signals.stop)
    if (permission === null) return 'not run'
    if ('refused' in permission) {
      const { refused: error } = permission
      this.#announcer.controllerRefused(definition.name, error)
      await this.release()
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
      if (disposeError !== undefined) this.#announcer.controllerThrew(definition.name, disposeError)
    }
  }

  /** Gives the lease back; errors don't matter, for it runs out by itself. */
  release(): Promise<void> {
    return this.#holder.release()
  }

  /** Whether this runner holds the update, or a lane of it, since its last batch. */
  holds(updateName: string): boolean {
    return this.#holder.lease?.updateName === updateName
  }

  /** The update of which this runner holds a lane, or null. */
  get lanedUpdate(): string | null {
    const { lease } = this.#holder
    return lease === null || lease.lane === null ? null : lease.updateName
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
    return this.#permissions.reasons()
  }

  async #hold(definition: UpdateDefinition<Tx, never>): Promise<Held | null> {
    const taken = await this.#holder.take(definition)
    if (taken === null) return null
    if (taken.isNew) {
      this.#announcer.leaseTaken(taken.held.lease)
      const known = this.#parts.lanesOnly || this.#planner.remembered(definition.name) !== undefined
      if (!known) this.#announcer.updateStarts(definition.name)
    }
    return taken.held
  }

  async #runHeld(
    definition: UpdateDefinition<Tx, never>,
    held: Held,
    permission: Permission,
    paced: BatchLimits,
    cancel: AbortSignal,
    precedence: Precedence,
  ): Promise<BatchOutcome> {
    const { around } = this.#parts
    const gone = this.#cancellation.begin(cancel)
    this.#cancelCurrent = gone
    this.current = definition.name
    this.#batchError = undefined
    const stopHeartbeat = startHeartbeat(around.store, held.lease, around.leaseMs, () =>
      gone.abort(new LeaseLostError(definition.name)),
    )
    try {
      if (definition.on !== undefined && definition.on !== around.database.dialect)
        return await this.#notApplicable(held.lease, gone.signal)
      refuseChangedDefinition(definition, held.claimed)
      held.work ??= this.#planner.resume(definition, held.lease, held.claimed, permission)
      const { work } = held
      await this.#check(definition, held.claimed, gone.signal)
      const plan = this.#planner.plan(definition, held.lease, work, permission, paced, gone.signal, precedence)
      this.#announcer.batchStarts(plan)
      const report = definition.oneShot
        ? await runOneShot(around, definition, work, plan)
        : await retrySerialization(() => runTransaction(around, definition, work, plan), {
            signal: plan.signal,
            random: this.#parts.random,
          })
      const { items, durationMs, wal } = report
      const sample = { updateName: definition.name, items, durationMs, commitMs: work.commitMs }
      this.#parts.committed(wal === null ? sample : { ...sample, wal })
      this.#recordSuccess(definition, plan, report)
      return 'ran'
    } catch (error) {
      return await this.#recordFailure(definition, held, error, {
        cancelled: cancel.aborted,
        gone: gone.signal.aborted,
      })
    } finally {
      this.#holder.renewedUntil(stopHeartbeat())
      this.current = null
      this.#cancelCurrent = null
    }
  }

  async #check(definition: UpdateDefinition<Tx, never>, { batches }: ClaimedState, signal: AbortSignal): Promise<void> {
    if (this.#checked.has(definition.name)) return
    const { around, settings } = this.#parts
    const { database } = around
    const limits = settingsOf(settings, definition)
    const query = limitedQuery({ database, updateName: definition.name, limits, signal })
    await definition.check?.({ query, dialect: database.dialect })
    if (batches === 0 && definition.deletes === true) await logPreview(this.#parts.around, definition)
    this.#checked.add(definition.name)
  }

  async #notApplicable(lease: Lease, signal: AbortSignal): Promise<BatchOutcome> {
    const { around } = this.#parts
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
    await pipelinedTransaction(around.database, [], async () => ({ result: undefined, closing }), { signal })
    this.#holder.forget()
    this.#announcer.notApplicable(lease.updateName)
    return 'ran'
  }

  #recordSuccess(definition: UpdateDefinition<Tx, never>, plan: BatchPlan, report: BatchReport): void {
    const { name } = definition
    if (report.laneEnded) this.#holder.forget()
    this.#parts.backOffs.clear(name)
    this.#failuresInARow = 0
    this.#planner.committed(name)
    this.#announcer.batchCommitted(plan, report)
    if (report.done) {
      this.#holder.forget()
      this.#planner.forget(name)
      this.#announcer.updateComplete(name)
    } else if (report.stalled) {
      // As any other failure: strict mode wants to hear of it too.
      throw this.#announcer.stalled(name)
    }
  }

  async #recordFailure(
    definition: UpdateDefinition<Tx, never>,
    held: Held,
    thrown: unknown,
    why: { cancelled: boolean; gone: boolean },
  ): Promise<BatchOutcome> {
    const { around } = this.#parts
    // The lane of the batch is read anew by the fence of the next one.
    if (thrown instanceof OvertakenError || thrown instanceof LaneChangedError) return 'overtaken'
    const error = toError(thrown)
    const work = this.#planner.remembered(definition.name) ?? null
    this.#batchError = error
    if (why.cancelled) return 'not run'
    if (why.gone || error instanceof LeaseLostError) {
      this.#holder.forget()
      const stillOurs = await around.store.release(held.lease).catch(() => false)
      if (!stillOurs) this.#announcer.leaseLost(held.lease)
      return 'not run'
    }
    const errorClass = error instanceof HandlerConnectionError ? 'other' : classifyError(error)
    if (errorClass === 'connection') {
      this.#holder.abandon(held.lease)
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
    this.#holder.forget()
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
}
