import type { Query } from '../databases/database.js'
import type { JsonObject, JsonValue } from '../json.js'
import type { Tables } from '../schema/tables.js'
import { namesOf, timeSql } from './time-sql.js'

/** Rows that an update could not handle, kept in `background_update_quarantine`; bound to the batch's transaction. */
export interface Quarantine {
  /** Sets a row aside with what went wrong. The same key again replaces the earlier entry. */
  add(key: JsonObject | readonly unknown[], error: string): Promise<void>
  /** The first `limit` keys in the order in which they were set aside. */
  take(limit: number): Promise<{ readonly id: number; readonly key: readonly unknown[] }[]>
  remove(ids: readonly number[]): Promise<void>
  count(): Promise<number>
}

/**
 * The rows that one update has set aside, bound to a transaction. `shared` when others of the same update work at the
 * same time: then `add` locks the update, so that whoever counts afterwards has counted everybody's.
 */
export function quarantineOf(query: Query, tables: Tables, updateName: string, shared = false): Quarantine {
  const { quarantine, queue, dialect } = tables
  return {
    async add(key, error) {
      if (shared) {
        await query(
          `SELECT 1
           FROM ${queue}
           WHERE update_name = $1
           FOR UPDATE`,
          [updateName],
        )
      }
      await query(
        `INSERT INTO ${quarantine} (update_name, key_json, error)
         VALUES ($1, $2, $3)
         ON CONFLICT (update_name, key_json) DO UPDATE
         SET error = excluded.error,
             attempts = ${quarantine}.attempts + 1`,
        [updateName, JSON.stringify(key), error],
      )
    },
    async take(limit) {
      const { rows } = await query<{ id: string; keyjson: string }>(
        `SELECT CAST(id AS TEXT) AS id, key_json AS keyjson
         FROM ${quarantine}
         WHERE update_name = $1
         ORDER BY ${quarantine}.id
         LIMIT $2`,
        [updateName, limit],
      )
      return rows.map((row) => ({ id: Number(row.id), key: JSON.parse(row.keyjson) as readonly unknown[] }))
    },
    async remove(ids) {
      await query(
        `DELETE FROM ${quarantine}
         WHERE update_name = $1 AND CAST(id AS TEXT) IN ${namesOf('$2', dialect)}`,
        [updateName, JSON.stringify(ids.map(String))],
      )
    },
    async count() {
      const { rows } = await query<{ count: string }>(
        `SELECT CAST(count(*) AS TEXT) AS count
         FROM ${quarantine}
         WHERE update_name = $1`,
        [updateName],
      )
      return Number(rows[0]?.count ?? 0)
    },
  }
}

/** A row of yours that an update has set aside. */
export interface QuarantinedRow {
  /** The name of the update. */
  readonly update: string
  /** As the update gave it: the values of the key's columns for `rowBackfill`. */
  readonly key: JsonValue
  /** What went wrong the last time. */
  readonly error: string
  /** How often it has failed. */
  readonly attempts: number
  /** ISO time in UTC when it was first set aside. */
  readonly at: string
}

interface RawQuarantinedRow extends Pick<QuarantinedRow, 'error' | 'attempts' | 'at'> {
  updatename: string
  keyjson: string
}

/** The first `limit` rows that this update, or any, has set aside, in their order. */
export async function readQuarantine(
  query: Query,
  tables: Tables,
  updateName: string | null,
  limit: number,
): Promise<QuarantinedRow[]> {
  const { rows } = await query<RawQuarantinedRow>(
    `SELECT update_name AS updatename, key_json AS keyjson, error, attempts, ${timeSql(tables.dialect).text('quarantined_at')} AS at
     FROM ${tables.quarantine}
     WHERE update_name = COALESCE(CAST($1 AS TEXT), update_name)
     ORDER BY id
     LIMIT $2`,
    [updateName, limit],
  )
  return rows.map(({ updatename, keyjson, ...row }) => ({ update: updatename, key: keyOf(keyjson), ...row }))
}

// Somebody may have written the row by hand.
function keyOf(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return text
  }
}
