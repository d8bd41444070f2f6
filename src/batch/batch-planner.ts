import type { Permission } from '../controller.js'
import type { JsonValue } from '../json.js'
import { batchBounds, clampToBounds } from '../pacing/batch-bounds.js'
import type { BatchLimits, StatementLimits } from '../pacing/pace.js'
import { StatementSize } from '../pacing/statement-size.js'
import { restoreStatistics } from '../pacing/statistics.js'
import type { Lease } from '../queue/lease.js'
import type { ClaimedState } from '../queue/batch-record.js'
import type { Precedence } from '../queue/fence.js'
import { settingsOf, type ResolvedSettings } from '../settings.js'
import type { UpdateDefinition } from '../updates/definition.js'
import type { BatchPlan, Work } from './work.js'

/** Remembers each update between its batches and says how big the next batch is. */
export class BatchPlanner<Tx> {
  readonly #settings: ResolvedSettings
  // What is remembered of each update that ran here; it is trusted while the row still holds what we saved last.
  readonly #remembered = new Map<string, Work>()
  // How often each update's batch was halved because it was in somebody's way.
  readonly #halvings = new Map<string, number>()

  constructor(settings: ResolvedSettings) {
    this.#settings = settings
  }

  remembered(updateName: string): Work | undefined {
    return this.#remembered.get(updateName)
  }

  /** What is remembered may be of a batch that wasn't committed, or of a row that is gone. */
  forget(updateName: string): void {
    this.#remembered.delete(updateName)
  }

  /** What to go on with under a new lease: what is remembered here, unless another runner was there meanwhile. */
  resume(
    definition: UpdateDefinition<Tx, never>,
    { lane }: Lease,
    claimed: ClaimedState,
    permission: Permission,
  ): Work {
    const remembered = this.#remembered.get(definition.name)
    if (remembered?.lane === lane && remembered.savedTunerJson === claimed.tunerJson) {
      // A batch that the tuner learned nothing from leaves its state as it was, but it counts.
      remembered.statistics = restoreStatistics(parseSaved(claimed.statisticsJson))
      return remembered
    }
    const work = this.#restore(definition, lane, claimed, permission)
    this.#remembered.set(definition.name, work)
    return work
  }

  plan(
    definition: UpdateDefinition<Tx, never>,
    lease: Lease,
    work: Work,
    permission: Permission,
    paced: BatchLimits,
    signal: AbortSignal,
    precedence: Precedence,
  ): BatchPlan {
    const own = settingsOf(this.#settings, definition)
    const minimum = permission.minBatchSize ?? own.minBatchSize
    const targetMs = Math.min(permission.targetMs, paced.targetMs ?? Infinity)
    const halved = work.tuner.next(targetMs) / 2 ** (this.#halvings.get(definition.name) ?? 0)
    // Tuner and pace may be the application's own: a size that makes no sense must not reach a handler.
    const { maxItems = Infinity } = paced
    const maxBatchSize = maxItems < own.maxBatchSize ? maxItems : own.maxBatchSize
    const batchSize = clampToBounds(halved, batchBounds({ minBatchSize: minimum, maxBatchSize }))
    // Of its own target: one that the pace has cut to a few ms is often missed, and that is no reason to roll back.
    const deadlineMs = own.deadline === undefined ? undefined : own.deadline * permission.targetMs
    const waitingText = paced.waitingText ?? null
    const statements = paced.statements === undefined ? null : statementsOf(batchSize, work, paced.statements)
    return { lease, batchSize, statements, targetMs, deadlineMs, signal, limits: own, waitingText, precedence }
  }

  /** The last batch was in somebody's way: the next one is half of what it would have been. */
  halve(updateName: string): void {
    this.#halvings.set(updateName, (this.#halvings.get(updateName) ?? 0) + 1)
  }

  /** A batch was committed: one halving less. */
  committed(updateName: string): void {
    const halvings = this.#halvings.get(updateName) ?? 0
    if (halvings > 0) this.#halvings.set(updateName, halvings - 1)
  }

  #restore(
    definition: UpdateDefinition<Tx, never>,
    lane: number | null,
    claimed: ClaimedState,
    permission: Permission,
  ): Work {
    const own = settingsOf(this.#settings, definition)
    const minBatchSize = permission.minBatchSize ?? own.minBatchSize
    const tuner = own.tuner({
      targetMs: permission.targetMs,
      defaultBatchSize: permission.defaultBatchSize ?? own.defaultBatchSize,
      minBatchSize,
      maxBatchSize: Math.max(own.maxBatchSize, minBatchSize),
      saved: parseSaved(claimed.tunerJson),
    })
    const statistics = restoreStatistics(parseSaved(claimed.statisticsJson))
    return {
      lane,
      tuner,
      savedTunerJson: claimed.tunerJson,
      statements: new StatementSize(),
      statistics,
      commitMs: 0,
      lastEndMs: null,
      ahead: undefined,
      from: null,
    }
  }
}

function statementsOf(batchSize: number, work: Work, limits: StatementLimits): BatchPlan['statements'] {
  const { ms, restMs, wal = false } = limits
  return { size: Math.min(batchSize, work.statements.next(ms)), restMs, wal }
}

// Saved state is whatever the row holds; what can't be read is as good as none.
function parseSaved(text: string | null): JsonValue | undefined {
  if (text === null) return undefined
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
}
