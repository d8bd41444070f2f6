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
}

/** The first runnable update in the order of the queue, or null: engine.md 2. */
export async function pickNext<Tx>(store: QueueStore<Tx>, picker: Picker): Promise<QueueRow | null> {
  for await (const page of store.candidates(picker.names)) {
    const rows = page.filter((row) => isFree(row, picker))
    const first = rows[0]
    if (first === undefined || first.dependsOn.length === 0) {
      if (first) return first
      continue
    }
    // One question for the whole page: a long chain of updates must not cost a question each.
    const unfinished = await store.queuedAmong([...new Set(rows.flatMap((row) => row.dependsOn))])
    const ready = rows.find((row) => !row.dependsOn.some((name) => unfinished.has(name)))
    if (ready) return ready
  }
  return null
}

function isFree(row: QueueRow, picker: Picker): boolean {
  if (row.holder !== null && row.holder.owner !== picker.owner) return false
  if (picker.isHeldBack(row.name, row.attempts)) return false
  return row.backsOffUntil === null || picker.backOffPassed(row.name, row.backsOffUntil)
}
