import type { Permission } from '../controller.js'
import type { JsonValue } from '../json.js'
import { restoreStatistics } from '../pacing/statistics.js'
import type { Lease } from '../queue/lease.js'
import type { ClaimedState } from '../queue/queue-store.js'
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
  resume(definition: UpdateDefinition<Tx, never>, claimed: ClaimedState, permission: Permission): Work {
    const remembered = this.#remembered.get(definition.name)
    if (remembered?.savedTunerJson === claimed.tunerJson) return remembered
    const work = this.#restore(definition, claimed, permission)
    this.#remembered.set(definition.name, work)
    return work
  }

  plan(
    definition: UpdateDefinition<Tx, never>,
    lease: Lease,
    work: Work,
    { targetMs, minBatchSize }: Permission,
    signal: AbortSignal,
  ): BatchPlan {
    const own = settingsOf(this.#settings, definition.settings)
    const minimum = minBatchSize ?? own.minBatchSize
    const halved = Math.floor(work.tuner.next(targetMs) / 2 ** (this.#halvings.get(definition.name) ?? 0))
    const batchSize = Math.min(Math.max(halved, minimum), Math.max(own.maxBatchSize, minimum))
    const deadlineMs = own.deadline === undefined ? undefined : own.deadline * targetMs
    return { lease, batchSize, targetMs, deadlineMs, signal }
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

  #restore(definition: UpdateDefinition<Tx, never>, claimed: ClaimedState, permission: Permission): Work {
    const own = settingsOf(this.#settings, definition.settings)
    const minBatchSize = permission.minBatchSize ?? own.minBatchSize
    const tuner = own.tuner({
      targetMs: permission.targetMs,
      defaultBatchSize: permission.defaultBatchSize ?? own.defaultBatchSize,
      minBatchSize,
      maxBatchSize: Math.max(own.maxBatchSize, minBatchSize),
      saved: parseSaved(claimed.tunerJson),
    })
    const statistics = restoreStatistics(parseSaved(claimed.statisticsJson))
    return { tuner, savedTunerJson: claimed.tunerJson, statistics, commitMs: 0, lastEndMs: null, from: null }
  }
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
