import type pg from 'pg'
import type { TestDatabase } from './postgres-database.js'

/** Every index outside the system's schemas, by name. */
export async function indexes(
  pool: pg.Pool,
): Promise<Record<string, { oid: number; valid: boolean; definition: string }>> {
  const { rows } = await pool.query<{ name: string; oid: number; valid: boolean; definition: string }>(`
    SELECT c.relname AS name, c.oid, i.indisvalid AS valid, pg_get_indexdef(c.oid) AS definition
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname NOT LIKE 'pg\\_%'
    ORDER BY c.relname`)
  return Object.fromEntries(rows.map(({ name, ...index }) => [name, index]))
}

/** The names of the indexes with whether they are valid. */
export async function validity(pool: pg.Pool): Promise<Record<string, boolean>> {
  return Object.fromEntries(Object.entries(await indexes(pool)).map(([name, { valid }]) => [name, valid]))
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => error,
  )
}

/** Asks until the statement returns a row. */
export async function until(pool: pg.Pool, sql: string): Promise<void> {
  while ((await pool.query(sql)).rowCount === 0);
}

/** Waits until every client is back in the pool; a cancel is sent on one of its own and may be answered later. */
export async function released(pool: pg.Pool): Promise<void> {
  while (pool.idleCount < pool.totalCount) await new Promise((resolve) => setImmediate(resolve))
}

/** A transaction that no CREATE INDEX CONCURRENTLY in its database can end before. */
export async function oldSnapshot(database: TestDatabase): Promise<{
  pid: number
  /** Waits until a build waits for it. For moments a build also waits for other statements, such as this look. */
  holdsUpABuild: () => Promise<void>
  end: () => Promise<unknown>
}> {
  const client = await database.openClient()
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1')
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const pid = rows[0]?.pid ?? 0
  return {
    pid,
    holdsUpABuild: () =>
      until(database.pool, `SELECT FROM pg_stat_progress_create_index WHERE current_locker_pid = ${pid}`),
    end: () => client.query('COMMIT'),
  }
}
