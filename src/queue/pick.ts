import type { QueueStore } from './queue-store.js'

/** What a runner knows that the queue doesn't. */
export interface Picker {
  /** Its name in leases. */
  readonly owner: string
  /** Names it has handlers for and is asked to run. */
  readonly names: readonly string[]
  /** Whether its own clock says that a back-off has passed which the database still counts. */
  backOffPassed(name: string): boolean
  /** Whether its own clock holds the update back. */
  isHeldBack(name: string): boolean
}

/** The first runnable update in the order of the queue, or null: engine.md 2. */
export async function pickNext<Tx>(store: QueueStore<Tx>, picker: Picker): Promise<string | null> {
  for await (const row of store.candidates(picker.names)) {
    if (row.holder !== null && row.holder.owner !== picker.owner) continue
    if (picker.isHeldBack(row.name)) continue
    if (row.backsOffUntil !== null && !picker.backOffPassed(row.name)) continue
    if (row.dependsOn.length > 0 && (await store.queuedAmong(row.dependsOn)).size > 0) continue
    return row.name
  }
  return null
}
