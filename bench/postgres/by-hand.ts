import { setTimeout } from 'node:timers/promises'
import type pg from 'pg'
import type { Backfiller } from '../contestants/backfiller.js'
import { SET_TOTAL, SUBJECT, type PostgresSubject } from './subject.js'

/** Everything in one statement. */
export const singleUpdate: Backfiller<PostgresSubject> = {
  key: 'single',
  title: 'one single UPDATE',
  wholeTable: true,
  run: (subject, work, { passes = false } = {}) =>
    withClient(subject, async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      work.signal.addEventListener('abort', () => {
        void subject.postgres.admin.query('SELECT pg_cancel_backend($1)', [rows[0]?.pid])
      })
      work.start()
      do {
        const { rowCount } = await client
          .query(`UPDATE ${SUBJECT} SET total = ${SET_TOTAL.total}`)
          .catch((error: unknown) => {
            if (!work.stopped) throw error
            return { rowCount: null }
          })
        if (rowCount !== null) work.batch(rowCount)
      } while (passes && !work.stopped)
    }),
}

/**
 * What one writes oneself: keyset batches of a fixed size, each its own transaction, statements prepared, and after each
 * of them `restMs` or nothing.
 */
export function keysetLoop(batchSize: number, restMs = 0): Backfiller<PostgresSubject> {
  const size = `hand-written loop, ${batchSize.toLocaleString('en-US')} rows`
  return {
    key: restMs === 0 ? 'loop' : 'loop-with-rests',
    title: restMs === 0 ? size : `${size}, ${restMs} ms rest`,
    run: (subject, work, { passes = false } = {}) =>
      withClient(subject, async (client) => {
        work.start()
        do {
          let lower = subject.shape.key === 'bigint' ? '-1' : '00000000-0000-0000-0000-000000000000'
          while (!work.stopped) {
            const upper = await upperBound(client, lower, batchSize)
            if (upper === undefined) break
            const { rowCount } = await client.query({
              name: 'bench_batch',
              text: `UPDATE ${SUBJECT} SET total = ${SET_TOTAL.total} WHERE id > $1 AND id <= $2`,
              values: [lower, upper],
            })
            work.batch(rowCount ?? 0)
            lower = upper
            if (restMs > 0) await setTimeout(restMs)
          }
        } while (passes && !work.stopped)
      }),
  }
}

async function upperBound(client: pg.ClientBase, lower: string, batchSize: number): Promise<string | undefined> {
  const bound = {
    name: 'bench_bound',
    text: `SELECT id FROM ${SUBJECT} WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1`,
    values: [lower, batchSize - 1],
  }
  const { rows } = await client.query<{ id: string }>(bound)
  if (rows[0] !== undefined) return rows[0].id
  const last = `SELECT id FROM ${SUBJECT} WHERE id > $1 ORDER BY id DESC LIMIT 1`
  return (await client.query<{ id: string }>(last, [lower])).rows[0]?.id
}

async function withClient(
  { postgres }: PostgresSubject,
  work: (client: pg.ClientBase) => Promise<void>,
): Promise<void> {
  const pool = postgres.openPool()
  const client = await pool.connect()
  try {
    await work(client)
  } finally {
    client.release()
    await pool.end()
  }
}
