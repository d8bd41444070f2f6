import type { Query } from './database.js'
import { databaseErrorCode } from './error-class.js'

// The time limits that a statement of hours must not have; `transaction_timeout` exists from version 17 on.
const WITHOUT_TIMEOUTS = { statement_timeout: '0', lock_timeout: '0', transaction_timeout: '0' }

const FORMER = `
  SELECT name::text AS name, setting::text AS setting, source::text AS source
  FROM pg_settings
  WHERE name IN (SELECT jsonb_array_elements_text($1::text::jsonb))`

const SET = `SELECT set_config($1, $2, false)`

/** Runs `work` without any time limit of the session; all are as before when it ends, also when it fails. */
export function withoutTimeouts<T>(query: Query, work: () => Promise<T>): Promise<T> {
  return withSettings(query, WITHOUT_TIMEOUTS, work)
}

/**
 * Runs `work` with other settings of the session. They are as before when it ends, also when it fails: the session goes
 * back into the application's pool. Settings that this version of PostgreSQL doesn't have are left out.
 */
export async function withSettings<T>(
  query: Query,
  settings: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  const former = (await query<Setting>(FORMER, [JSON.stringify(Object.keys(settings))])).rows
  let result: T
  try {
    for (const { name } of former) await query(SET, [name, settings[name]])
    result = await work()
  } catch (error) {
    // What failed matters more than a session that can't be reached any more.
    await restore(query, former).catch(() => {})
    throw error
  }
  await restore(query, former)
  return result
}

interface Setting {
  name: string
  setting: string
  source: string
}

async function restore(query: Query, former: readonly Setting[]): Promise<void> {
  for (const { name, setting, source } of former) {
    await despiteCancel(() => {
      // RESET goes back to the value of the role, the database or the server, and follows it when that changes.
      return source === 'session' ? query(SET, [name, setting]) : query(`RESET ${name}`)
    })
  }
}

const MAX_CANCELS = 3

/**
 * Runs a short statement again when it was cancelled: a cancel that was meant for the statement before it may come late.
 */
export async function despiteCancel<T>(work: () => Promise<T>): Promise<T> {
  for (let cancels = 0; ; cancels += 1) {
    try {
      return await work()
    } catch (error) {
      if (databaseErrorCode(error) !== '57014' || cancels >= MAX_CANCELS) throw error
    }
  }
}
