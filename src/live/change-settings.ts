import type { Database } from '../databases/database.js'
import type { JsonValue } from '../json.js'
import { describe, refuseProblems, unknownOptionProblems } from '../options.js'
import { addToAudit } from '../queue/audit.js'
import type { QueueStore } from '../queue/queue-store.js'
import { settingsStatements } from '../queue/settings-statements.js'
import { changeProblems, subjectOf } from './setting-keys.js'
import { readStoredSettings } from './stored-settings.js'

/** Who changes settings, why, and for what. */
export interface ChangeOptions {
  readonly by?: string
  readonly reason?: string
  /** The one update that it is for. Default: all of the database. */
  readonly update?: string
}

/**
 * Stores changed settings and writes who, why, before and after into the audit, all or nothing. Null takes a setting away.
 *
 * @throws ConfigurationError naming every key and value that is wrong
 */
export async function changeSettings<Tx>(
  database: Database<Tx>,
  store: QueueStore<Tx>,
  changes: Readonly<Record<string, JsonValue>>,
  options: ChangeOptions,
): Promise<void> {
  const { by = null, reason = null, update = null } = options
  const problems = [...unknownOptionProblems(options, ['by', 'reason', 'update']), ...nothingProblems(changes)]
  if (problems.length === 0) {
    for (const [key, value] of Object.entries(changes)) {
      problems.push(...changeProblems(key, value, update, database.dialect))
    }
  }
  refuseProblems('set', problems)
  const { tables } = store
  await database.transaction(async (tx) => {
    const query = store.within(tx)
    const stored = await readStoredSettings(query, tables)
    for (const [key, after] of Object.entries(changes)) {
      const subject = subjectOf(key, update)
      const before = stored.get(subject)?.value ?? null
      if (JSON.stringify(before) === JSON.stringify(after)) continue
      if (after === null) await query(settingsStatements(tables).deleteSetting, [subject])
      else await query(settingsStatements(tables).writeSetting, [subject, JSON.stringify(after), by])
      await addToAudit(query, tables, { action: 'set', subject, by, reason, before, after })
    }
  })
}

function nothingProblems(changes: unknown): string[] {
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes)) {
    return [`give an object of settings, as { 'pace.maxDuty': 0.5 }, not ${describe(changes)}`]
  }
  const missing = Object.entries(changes).filter(([, value]) => value === undefined)
  return missing.map(([key]) => `${key} has no value; null takes the setting away`)
}
