import { setImmediate as turn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { backfill, BackgroundUpdater, type Clock } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fakeClock } from 'evenkeel/testing'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryDatabaseFile } from '../support/sqlite.js'

type Happening = 'batch' | 'turn' | { readonly sleptMs: number }

it('between two batches the event loop turns, and at least 1 ms lies between them', async () => {
  const file = temporaryDatabaseFile()
  const app = new Database(file)
  onTestFinished(() => {
    app.close()
  })
  app.exec(`
    CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER);
    WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t (id) SELECT i FROM n`)

  const happened: Happening[] = []
  // Time passes only in sleeps, and they are over at once: nothing but the pace makes a gap, and nothing but the runner
  // gives the loop its turn.
  const time = fakeClock({ autoAdvance: true })
  const clock: Clock = {
    nowMs: () => time.nowMs(),
    sleep: (ms, signal) => {
      happened.push({ sleptMs: ms })
      return time.sleep(ms, signal)
    },
  }
  const fill = backfill({ name: 'fill', table: 't', set: { x: '1' }, maxBatchSize: 100 })
  const database = fromBetterSqlite3(file)
  const updater = new BackgroundUpdater({ database, updates: [fill], clock })
  onTestFinished(async () => {
    await updater.stop()
    await database.close()
  })
  updater.on('batch:start', () => happened.push('batch'))
  await updater.install()
  await updater.enqueue(fill)
  await updater.start()
  while (!(await updater.hasCompleted('fill'))) {
    await turn()
    happened.push('turn')
  }

  const starts = happened.flatMap((each, index) => (each === 'batch' ? [index] : []))
  expect(starts.length).toBeGreaterThanOrEqual(20)
  for (const [index, start] of starts.entries()) {
    const next = starts[index + 1]
    if (next === undefined) continue
    const between = happened.slice(start + 1, next)
    expect(between).toContain('turn')
    const sleptMs = between.reduce((sum, each) => sum + (typeof each === 'object' ? each.sleptMs : 0), 0)
    expect(sleptMs).toBeGreaterThanOrEqual(1)
  }
})
