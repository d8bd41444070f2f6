import type { Query } from '../databases/database.js'
import type { JsonValue } from '../json.js'
import { settingsStatements } from '../queue/settings-statements.js'
import type { Tables } from '../schema/tables.js'
import { partsOf, SETTING_KEYS } from './setting-keys.js'

/** A setting that was changed while updates run; it is stored, so that restarts and other processes keep it. */
export interface StoredSetting {
  readonly key: string
  /** Null when it is for the whole database. */
  readonly update: string | null
  readonly value: JsonValue
  readonly by: string | null
  /** ISO time in UTC. */
  readonly changedAt: string
}

interface RawSetting {
  name: string
  valuejson: string
  changedat: string
  changedby: string | null
}

/** All that are stored, by subject. What the table holds beside them is for others. */
export async function readStoredSettings(query: Query, tables: Tables): Promise<Map<string, StoredSetting>> {
  const { rows } = await query<RawSetting>(settingsStatements(tables).readAll)
  const settings = new Map<string, StoredSetting>()
  for (const { name, valuejson, changedat, changedby } of rows) {
    const { key, update } = partsOf(name)
    const value = SETTING_KEYS.has(key) ? parse(valuejson) : null
    if (value !== null) settings.set(name, { key, update, value, by: changedby, changedAt: changedat })
  }
  return settings
}

// Somebody may have written the row by hand: what can't be read is as good as none.
function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return null
  }
}
