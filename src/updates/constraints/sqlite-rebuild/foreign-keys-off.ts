import type { Query } from '../../../databases/database.js'
import { ForeignKeysStillOnError, PragmaNotRestoredError } from './errors.js'

type Flag = 'foreign_keys' | 'legacy_alter_table'

/**
 * Runs `work` with foreign keys off, and sets everything back afterwards, also on failure. With foreign keys on, DROP
 * TABLE deletes the rows first, and every `ON DELETE CASCADE` deletes child rows with them.
 *
 * `legacy_alter_table` is on for the same time: without it the RENAME stops at every view or trigger that mentions the
 * table, because there is no table of that name at that moment.
 *
 * @throws ForeignKeysStillOnError when SQLite ignored the pragma, as it silently does inside a transaction
 */
export async function withForeignKeysOff<T>(query: Query, table: string, work: () => Promise<T>): Promise<T> {
  const before: [Flag, number][] = [
    ['foreign_keys', await readFlag(query, 'foreign_keys')],
    ['legacy_alter_table', await readFlag(query, 'legacy_alter_table')],
  ]
  let result: T
  try {
    await query('PRAGMA foreign_keys = OFF')
    if ((await readFlag(query, 'foreign_keys')) !== 0) throw new ForeignKeysStillOnError(table)
    await query('PRAGMA legacy_alter_table = ON')
    result = await work()
  } catch (error) {
    await restore(query, before, error)
    throw error
  }
  await restore(query, before)
  return result
}

async function restore(query: Query, flags: readonly [Flag, number][], cause?: unknown): Promise<void> {
  const failures: unknown[] = []
  for (const [flag, value] of flags) {
    // Once more after a failure: a connection on which foreign keys stay off goes on to write rows without parents.
    await setFlag(query, flag, value)
      .catch(() => setFlag(query, flag, value))
      .catch((error: unknown) => failures.push(new PragmaNotRestoredError(flag, value, cause ?? error)))
  }
  if (failures.length > 0) throw failures[0]
}

async function setFlag(query: Query, flag: Flag, value: number): Promise<void> {
  await query(`PRAGMA ${flag} = ${value}`)
  const found = await readFlag(query, flag)
  if (found !== value) throw new PragmaNotRestoredError(flag, value)
}

async function readFlag(query: Query, flag: Flag): Promise<number> {
  const { rows } = await query<Partial<Record<Flag, number>>>(`PRAGMA ${flag}`)
  return Number(rows[0]?.[flag] ?? 0)
}
