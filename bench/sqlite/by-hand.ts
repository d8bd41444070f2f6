import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import BetterSqlite3 from 'better-sqlite3'
import type { Backfiller } from '../contestants/backfiller.js'
import { SET_TOTAL, SUBJECT, type SqliteSubject } from './subject.js'

/** Everything in one statement. */
export const singleUpdate: Backfiller<SqliteSubject> = {
  key: 'single',
  title: 'one single UPDATE',
  run: (subject, work, { passes = false } = {}) =>
    withDatabase(subject, async (database) => {
      const update = database.prepare(`UPDATE ${SUBJECT} SET total = ${SET_TOTAL.total}`)
      work.start()
      do {
        work.batch(update.run().changes)
        await yieldToEventLoop()
      } while (passes && !work.stopped)
    }),
}

/** What one writes oneself: keyset batches of a fixed size, each its own transaction, no pause. */
export function keysetLoop(batchSize: number): Backfiller<SqliteSubject> {
  return {
    key: 'loop',
    title: `hand-written loop, ${batchSize.toLocaleString('en-US')} rows`,
    run: (subject, work, { passes = false } = {}) =>
      withDatabase(subject, async (database) => {
        const bound = database.prepare<[Key, number], Key>(
          `SELECT id FROM ${SUBJECT} WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?`,
        )
        const last = database.prepare<[Key], Key>(`SELECT id FROM ${SUBJECT} WHERE id > ? ORDER BY id DESC LIMIT 1`)
        const update = database.prepare<[Key, Key]>(
          `UPDATE ${SUBJECT} SET total = ${SET_TOTAL.total} WHERE id > ? AND id <= ?`,
        )
        const batch = database.transaction((lower: Key) => {
          const upper = bound.pluck().get(lower, batchSize - 1) ?? last.pluck().get(lower)
          return upper === undefined ? undefined : { upper, rows: update.run(lower, upper).changes }
        })
        work.start()
        do {
          let lower: Key = subject.shape.key === 'integer' ? -1 : ''
          while (!work.stopped) {
            const done = batch.immediate(lower)
            if (done === undefined) break
            work.batch(done.rows)
            lower = done.upper
            await yieldToEventLoop()
          }
        } while (passes && !work.stopped)
      }),
  }
}

type Key = number | string

async function withDatabase(
  { file }: SqliteSubject,
  work: (database: BetterSqlite3.Database) => Promise<void>,
): Promise<void> {
  const database = new BetterSqlite3(file, { timeout: 30_000 })
  try {
    await work(database)
  } finally {
    database.close()
  }
}
