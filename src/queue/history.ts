import type { Query } from '../databases/database.js'
import type { JsonObject } from '../json.js'
import type { Tables } from '../schema/tables.js'
import type { Outcome } from './queue-store.js'
import { isTooDeep } from './progress.js'
import { historyStatements } from './history-statements.js'

/** What an update that has left the queue did. */
export interface HistoryEntry {
  readonly id: number
  readonly name: string
  readonly outcome: Outcome
  /** ISO time in UTC; null when a migration wrote the row and didn't say. */
  readonly enqueuedAt: string | null
  readonly enqueuedBy: string | null
  readonly startedAt: string | null
  readonly finishedAt: string
  /** Who ran its last batch, or who cancelled it. */
  readonly finishedBy: string | null
  readonly reason: string | null
  readonly batches: number
  readonly items: number
  /** Time spent in batches, in ms. */
  readonly busyMs: number
  readonly failures: number
  readonly lastError: string | null
  /** Its last progress, with what it found. */
  readonly progress: JsonObject
}

interface RawEntry {
  id: number
  name: string
  outcome: Outcome
  enqueuedat: string | null
  enqueuedby: string | null
  startedat: string | null
  finishedat: string
  finishedby: string | null
  reason: string | null
  batches: number
  items: number
  busyms: number
  failures: number
  lasterror: string | null
  progressjson: string
}

/** The last `limit` updates that left the queue, newest first. */
export async function readHistory(query: Query, tables: Tables, limit: number): Promise<HistoryEntry[]> {
  const { rows } = await query<RawEntry>(historyStatements(tables).latest, [limit])
  return rows.map((raw) => ({
    id: raw.id,
    name: raw.name,
    outcome: raw.outcome,
    enqueuedAt: raw.enqueuedat,
    enqueuedBy: raw.enqueuedby,
    startedAt: raw.startedat,
    finishedAt: raw.finishedat,
    finishedBy: raw.finishedby,
    reason: raw.reason,
    batches: raw.batches,
    items: raw.items,
    busyMs: raw.busyms,
    failures: raw.failures,
    lastError: raw.lasterror,
    progress: progressOf(raw.progressjson),
  }))
}

// A row that was written by hand into nonsense could still be cancelled.
function progressOf(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject && !isTooDeep(value, text) ? (value as JsonObject) : {}
  } catch {
    return {}
  }
}
