import { InvalidQueueRowError } from '../errors.js'
import type { JsonObject } from '../json.js'
import { isTooDeep } from './progress.js'

export type RowState = 'queued' | 'paused' | 'failed'

/** A row of the queue without its progress, which may be large. */
export interface QueueRow {
  readonly name: string
  readonly ordering: number
  readonly dependsOn: readonly string[]
  readonly state: RowState
  readonly stateBy: string | null
  readonly stateReason: string | null
  /** Failures in a row. */
  readonly attempts: number
  readonly lastError: string | null
  /** ISO time in UTC while its back-off hasn't passed by the database's clock, else null. */
  readonly backsOffUntil: string | null
  /** Who holds it by the database's clock, else null; of a split update, who holds one of its lanes. */
  readonly holder: { readonly owner: string; readonly until: string } | null
  /** Why its runner waits or keeps batches apart, as that said lately; else null. */
  readonly waitingText: string | null
  /** Into how many lanes its walk was split; 0 walks as one. */
  readonly laneCount: number
  /** There is a lane that nobody works on. */
  readonly hasFreeLane: boolean
}

/** What a row remembers of its work, for status. */
export interface QueueRowDetails extends QueueRow {
  readonly progressJson: string
  readonly enqueuedAt: string | null
  readonly startedAt: string | null
  readonly batches: number
  readonly items: number
  readonly busyMs: number
  readonly failures: number
  readonly batchSize: number | null
  readonly statisticsJson: string | null
}

/** `a, b` → `['a', 'b']`. */
export function parseDependsOn(text: string | null): string[] {
  if (text === null) return []
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

/** The progress of a row, which anybody may have written. */
export function parseProgress(name: string, text: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new InvalidQueueRowError(name, `progress_json is not JSON (${(error as Error).message})`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidQueueRowError(name, 'progress_json is not a JSON object')
  }
  if (isTooDeep(value, text)) throw new InvalidQueueRowError(name, 'progress_json is nested too deeply')
  return value as JsonObject
}
