import type { Database } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { expect, it } from 'vitest'
import { gate, installed, uninstalled, update } from '../engine/support.js'
import { until } from '../support/indexes.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'

/** An update whose batch number `held` stays where a batch saves itself: it has the row, and hasn't committed. */
function heldAtItsEnd(held: number, done: boolean) {
  const running = gate()
  const finish = gate()
  const walk = update('walk', async ({ progress, query }) => {
    const step = ((progress as { step?: number }).step ?? 0) + 1
    if (step < held) return { items: 100, progress: { step } }
    await query("UPDATE background_updates SET ordering = ordering WHERE update_name = 'walk'")
    running.open()
    await finish.opened
    return { items: 100, progress: { step }, done }
  })
  return { walk, running, finish }
}

const SOMEBODY_WAITS = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

/** As a process of its own. */
function processOn(database: TestDatabase): { database: Database<never> } {
  return { database: fromPg(database.openPool()) as unknown as Database<never> }
}

// SQLite has one writer: nobody cancels in the middle of a batch.
describePostgres('cancel while a batch commits', (postgres) => {
  it('counts that batch, and keeps its progress', async () => {
    const database = await postgres.freshDatabase()
    const { walk, running, finish } = heldAtItsEnd(2, false)
    const runner = await installed(processOn(database), { updates: [walk] })
    await runner.enqueue(walk)
    await runner.runNextBatch()
    const batch = runner.runNextBatch()
    await running.opened
    const cancelled = uninstalled(processOn(database)).cancel('walk', { by: 'bob' })
    await until(database.pool, SOMEBODY_WAITS)
    finish.open()
    await Promise.all([batch, cancelled])
    expect(await runner.history()).toMatchObject([
      { outcome: 'cancelled', finishedBy: 'bob', batches: 2, items: 200, progress: { step: 2 } },
    ])
  })

  it('finds nothing to cancel when that batch was the last', async () => {
    const database = await postgres.freshDatabase()
    const { walk, running, finish } = heldAtItsEnd(1, true)
    const runner = await installed(processOn(database), { updates: [walk] })
    await runner.enqueue(walk)
    const batch = runner.runNextBatch()
    await running.opened
    const cancelled = uninstalled(processOn(database)).cancel('walk')
    const refused = expect(cancelled).rejects.toMatchObject({ code: 'NOT_QUEUED' })
    await until(database.pool, SOMEBODY_WAITS)
    finish.open()
    await Promise.all([batch, refused])
    expect(await runner.history()).toMatchObject([{ outcome: 'completed', batches: 1, items: 100 }])
  })
})
