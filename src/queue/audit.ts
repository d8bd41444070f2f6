import type { Query } from '../databases/database.js'
import type { JsonValue } from '../json.js'
import type { Tables } from '../schema/tables.js'
import { settingsStatements } from './settings-statements.js'

/** One change that somebody made, and why. */
export interface AuditEntry {
  readonly id: number
  /** ISO time in UTC. */
  readonly at: string
  readonly by: string | null
  /** What was done: `set`. */
  readonly action: string
  /** To what: the key of a setting, with `@name` when it is for one update. */
  readonly subject: string | null
  readonly reason: string | null
  /** Null when there was nothing. */
  readonly before: JsonValue
  /** Null when there is nothing any more. */
  readonly after: JsonValue
}

interface RawEntry {
  id: number
  at: string
  doneby: string | null
  action: string
  subject: string | null
  reason: string | null
  beforejson: string | null
  afterjson: string | null
}

export async function addToAudit(query: Query, tables: Tables, entry: Omit<AuditEntry, 'id' | 'at'>): Promise<void> {
  await query(settingsStatements(tables).addToAudit, [
    entry.action,
    entry.subject,
    entry.by,
    entry.reason,
    jsonOrNull(entry.before),
    jsonOrNull(entry.after),
  ])
}

/** The last `limit` changes, newest first. */
export async function readAudit(query: Query, tables: Tables, limit: number): Promise<AuditEntry[]> {
  const { rows } = await query<RawEntry>(settingsStatements(tables).readAudit, [limit])
  return rows.map(({ id, at, doneby, action, subject, reason, beforejson, afterjson }) => ({
    id,
    at,
    by: doneby,
    action,
    subject,
    reason,
    before: valueOf(beforejson),
    after: valueOf(afterjson),
  }))
}

function jsonOrNull(value: JsonValue): string | null {
  return value === null ? null : JSON.stringify(value)
}

// Somebody may have written the row by hand.
function valueOf(text: string | null): JsonValue {
  if (text === null) return null
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return text
  }
}
