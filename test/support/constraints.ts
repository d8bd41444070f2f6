import type pg from 'pg'
import { BackgroundUpdater, type UpdateDefinition } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'

/** The constraints of a table as `name: definition`; `NOT VALID` is part of it. From version 18 on NOT NULLs too. */
export async function constraints(pool: pg.Pool, table: string): Promise<Record<string, string>> {
  const { rows } = await pool.query<{ name: string; definition: string }>(
    `SELECT conname AS name, pg_get_constraintdef(oid) AS definition
     FROM pg_constraint
     WHERE conrelid = $1::regclass AND contype <> 'p' AND conname NOT LIKE '%id_not_null'
     ORDER BY conname`,
    [table],
  )
  return Object.fromEntries(rows.map(({ name, definition }) => [name, definition]))
}

export async function queued(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    'SELECT update_name AS name FROM background_updates ORDER BY update_name',
  )
  return rows.map(({ name }) => name)
}

export async function ids(pool: pg.Pool, sql: string): Promise<unknown[]> {
  return (await pool.query<{ id: unknown }>(sql)).rows.map(({ id }) => id)
}

/** Runs an update of the queue to its end; resolves to the error that it failed with, or null. */
export async function runToEnd(
  pool: pg.Pool,
  update: UpdateDefinition<never, never>,
  options: { enqueue?: boolean; batchSize?: number } = {},
): Promise<Error | null> {
  const updater = new BackgroundUpdater({
    database: fromPg(pool),
    updates: [update],
    defaultBatchSize: options.batchSize ?? 10,
    maxBatchSize: options.batchSize ?? 10,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  })
  let failure: Error | null = null
  updater.on('update:fail', ({ error }) => {
    failure = error
  })
  await updater.install()
  if (options.enqueue !== false) await updater.enqueue(update, { ifExists: 'ignore' })
  try {
    await updater.runToCompletion()
  } catch (error) {
    failure ??= error as Error
  }
  await updater.stop()
  return failure
}
