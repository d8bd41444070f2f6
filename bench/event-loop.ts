/**
 * How long an updater holds the event loop of the application beside it, on SQLite: in the application's own thread,
 * and in a worker.
 *
 *   npm run bench:event-loop
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { BackgroundUpdater } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { WorkerUpdater } from 'evenkeel/worker'
import { makeFill } from './event-loop/updates.mjs'

const ROWS = 1_000_000

interface Verbs {
  install(): Promise<unknown>
  enqueue(name: string): Promise<boolean>
  start(): Promise<void>
  waitFor(name: string): Promise<void>
  stop(): Promise<void>
}

const folder = mkdtempSync(path.join(tmpdir(), 'evenkeel-bench-'))
try {
  console.log(`a backfill of ${ROWS.toLocaleString('en-US')} rows of SQLite, target 25 ms\n`)
  console.log('updater              seconds   event loop held: p99 ms   longest ms')
  await measure('nothing running', null)
  await measure('in its own thread', (file) => {
    const database = fromBetterSqlite3(file)
    return new BackgroundUpdater({ database, updates: [makeFill()] })
  })
  await measure('in a worker', (file) => {
    return new WorkerUpdater({ module: new URL('./event-loop/updates.mjs', import.meta.url), data: file })
  })
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function measure(label: string, make: ((file: string) => Verbs) | null): Promise<void> {
  const file = path.join(folder, `${label}.db`)
  const app = new Database(file)
  app.pragma('journal_mode = WAL')
  app.exec(`
    CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER);
    WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT INTO t (id) SELECT i FROM n`)
  app.close()
  const updater = make?.(file)
  await updater?.install()
  await updater?.enqueue('fill')
  // What the loading of a module and the growing of a table cost is not what is asked for.
  await delay(200)
  const held = monitorEventLoopDelay({ resolution: 1 })
  const startedMs = performance.now()
  held.enable()
  await updater?.start()
  await (updater?.waitFor('fill') ?? delay(1_000))
  held.disable()
  const seconds = (performance.now() - startedMs) / 1_000
  await updater?.stop()
  // The delays contain the timer's own period of 1 ms.
  const ms = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - 1).toFixed(1)
  console.log(
    `${label.padEnd(20)} ${seconds.toFixed(1).padStart(7)} ${ms(held.percentile(99)).padStart(25)} ${ms(held.max).padStart(12)}`,
  )
}
