import type { QueueStore } from './queue-store.js'
import type { QueueRow } from './row.js'

/** What a runner knows that the queue doesn't. */
export interface Picker {
  /** Its name in leases. */
  readonly owner: string
  /** Names it has handlers for and is asked to run. */
  readonly names: readonly string[]
  /** Whether its own clock says that a back-off has passed which the database still counts. */
  backOffPassed(name: string, retryAt: string): boolean
  /** Whether its own clock holds the update back. */
  isHeldBack(name: string, attempts: number): boolean
  /** What it can do about an update that was split: work on a lane of it, wait for others of its process, or nothing. */
  lanesOf(row: QueueRow): 'work' | 'wait' | 'none'
}

/** What runs next. */
export interface Picked {
  readonly row: QueueRow
  /** No row stands before it that might become runnable: what follows from that, `QueueLook` tells. */
  readonly leads: boolean
}

/** The first runnable update in the order of the queue, or null: "Which update runs next" in docs/engine.md. */
export async function pickNext<Tx>(store: QueueStore<Tx>, picker: Picker): Promise<Picked | null> {
  let skipped = 0
  for await (const page of store.candidates(picker.names)) {
    const awaited = page.findIndex((row) => row.laneCount > 0 && picker.lanesOf(row) === 'wait')
    const rows = (awaited === -1 ? page : page.slice(0, awaited)).filter((row) => isFree(row, picker))
    const first = rows[0]
    const picked = (row: QueueRow): Picked => ({ row, leads: skipped === 0 && row === page[0] })
    if (first !== undefined) {
      if (first.dependsOn.length === 0) return picked(first)
      // One question for the whole page: a long chain of updates must not cost a question each.
      const unfinished = await store.queuedAmong([...new Set(rows.flatMap((row) => row.dependsOn))])
      const ready = rows.find((row) => !row.dependsOn.some((name) => unfinished.has(name)))
      if (ready) return picked(ready)
    }
    if (awaited !== -1) return null
    skipped += page.length
  }
  return null
}

function isFree(row: QueueRow, picker: Picker): boolean {
  if (row.laneCount > 0) {
    if (picker.lanesOf(row) !== 'work') return false
  } else if (row.holder !== null && row.holder.owner !== picker.owner) return false
  if (picker.isHeldBack(row.name, row.attempts)) return false
  return row.backsOffUntil === null || picker.backOffPassed(row.name, row.backsOffUntil)
}
