import type { BatchRunner } from './batch/batch-runner.js'
import type { BackOffs } from './queue/back-off.js'
import { pickNext } from './queue/pick.js'
import { NOBODY_BEFORE, type Precedence } from './queue/fence.js'
import type { QueueStore } from './queue/queue-store.js'
import type { QueueRow } from './queue/row.js'

export interface QueueLookParts<Tx> {
  readonly owner: string
  readonly store: QueueStore<Tx>
  readonly backOffs: BackOffs
  readonly batches: BatchRunner<Tx>
  /** Whether this process holds a lane of the update. */
  readonly holdsLaneOf: (updateName: string) => boolean
}

/** Looks at the queue before every batch, or lets the batch's own fence look. */
export class QueueLook<Tx> {
  readonly #parts: QueueLookParts<Tx>
  // The update that led the queue at the last look. Invariant: while its lease is held its own fence looks at the queue.
  #leader: QueueRow | null = null

  constructor(parts: QueueLookParts<Tx>) {
    this.#parts = parts
  }

  /** The update that runs next, or null. `isNew` when the queue was read for it. */
  async next(names: readonly string[]): Promise<{ readonly row: QueueRow; readonly isNew: boolean } | null> {
    const { store, owner, backOffs, batches } = this.#parts
    const leader = this.#leader
    if (leader !== null && names.includes(leader.name) && batches.holds(leader.name)) {
      return { row: leader, isNew: false }
    }
    this.#leader = null
    const picked = await pickNext(store, {
      owner,
      names,
      backOffPassed: (name, retryAt) => backOffs.hasPassed(name, retryAt),
      isHeldBack: (name, attempts) => backOffs.isHeldBack(name, attempts),
      lanesOf: (row) => this.#lanesOf(row),
    })
    if (picked === null) return null
    if (picked.leads) this.#leader = picked.row
    return { row: picked.row, isNew: true }
  }

  /** What a batch of the update must not overtake. */
  precedenceOf(updateName: string, names: readonly string[]): Precedence {
    const leader = this.#leader
    return leader?.name === updateName ? { dependsOn: leader.dependsOn, names } : NOBODY_BEFORE
  }

  /** The queue is read anew before the next batch. */
  forget(): void {
    this.#leader = null
  }

  #lanesOf({ name, hasFreeLane }: QueueRow): 'work' | 'wait' | 'none' {
    const { batches, holdsLaneOf } = this.#parts
    if (batches.holds(name) || hasFreeLane || batches.mayDivide(name)) return 'work'
    return holdsLaneOf(name) ? 'wait' : 'none'
  }
}
