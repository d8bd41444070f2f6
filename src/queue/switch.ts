import type { Query } from '../databases/database.js'
import type { Tables } from '../schema/tables.js'
import { settingsStatements } from './settings-statements.js'

/** Who switched the work of a database off, and why. */
export interface Disabled {
  readonly by: string | null
  readonly reason: string | null
}

const SETTING = 'disabled'

/** The stored switch: a restart keeps it, and every process obeys it. */
export async function readDisabled(query: Query, tables: Tables): Promise<Disabled | null> {
  const { rows } = await query<{ valuejson: string }>(settingsStatements(tables).readSetting, [SETTING])
  const text = rows[0]?.valuejson
  return text === undefined ? null : parse(text)
}

// Whatever somebody wrote by hand, the switch is off while the row is there.
function parse(text: string): Disabled {
  try {
    const { by, reason } = JSON.parse(text) as Disabled
    return { by: by ?? null, reason: reason ?? null }
  } catch {
    return { by: null, reason: null }
  }
}

/** Switches off. Who does so again and gives no reason leaves the reason that is there, with whose it is. */
export async function writeDisabled(query: Query, tables: Tables, disabled: Disabled): Promise<void> {
  const before = disabled.reason === null ? await readDisabled(query, tables) : null
  const kept = before !== null && before.reason !== null ? before : disabled
  // Written in any case: somebody may have switched on in between.
  await query(settingsStatements(tables).writeSetting, [SETTING, JSON.stringify(kept), kept.by])
}

export async function clearDisabled(query: Query, tables: Tables): Promise<void> {
  await query(settingsStatements(tables).deleteSetting, [SETTING])
}
