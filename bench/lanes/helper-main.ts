/** The second process of `twoProcesses`: runs the same update until it has gone from the queue. */
import { setTimeout as delay } from 'node:timers/promises'
import { BackgroundUpdater, backfill, type Database } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import pg from 'pg'
import { sayReady, scriptInput } from '../measure/run-script.js'

/** What the process is told. */
export interface HelperRequest {
  readonly url: string
  readonly table: string
  readonly set: Readonly<Record<string, string>>
}

const { url, table, set } = scriptInput<HelperRequest>()
const pool = new pg.Pool({ connectionString: url, max: 8 })
const update = backfill<never>({ name: 'bench_backfill', table, set })
const updater = new BackgroundUpdater({
  database: fromPg(pool) as unknown as Database<never>,
  updates: [update],
  pollMs: 5,
  lanes: 2,
})
await updater.start()
sayReady()
// It is enqueued only now. Somebody who gives up before that must not leave this process behind.
const giveUpMs = performance.now() + 30_000
while (performance.now() < giveUpMs && (await updater.hasCompleted(update))) await delay(2)
// Who is too slow is stopped: then it is cancelled.
await updater.waitFor(update).catch(() => {})
await updater.stop()
await pool.end()
