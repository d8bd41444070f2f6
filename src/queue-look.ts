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

/**
 * Looks at the queue before every batch, or lets the batch's own fence look.
 *
 * No batch may overtake an update that could run before its own, and a question to the queue before each batch would
 * cost a round trip. So the two share the work. `pickNext` reads the queue, and says of the update that it found whether
 * it leads: no queued row that this runner knows stands before it. (Behind such a row the answer may change by itself,
 * when a back-off or somebody's lease ends, so the queue is read before the next batch too.) A leader is remembered
 * here, and while its lease is held `next` returns it unasked. Its batches get a precedence: what it depended on when it
 * was picked, and the names that this runner may run. With those the fence, which is the first statement of a batch and
 * a round trip anyway, asks whether a dependency is queued again, whether a row of these names that nobody else holds
 * stands before it now, and whether it was given other dependencies. If so, the batch is overtaken: it ends before its
 * handler is called, counts as no failure, the leader is forgotten, and the queue is read anew. All other batches come
 * right behind a reading of the queue, and get `NOBODY_BEFORE`.
 */
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

  /** What a batch of the update must not overtake; nothing when the queue was read for it just now. */
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
