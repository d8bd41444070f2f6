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

/** What it answers. */
export interface HelperAnswer {
  /** When it ended the last lane, in ms since the epoch; null when that was another process. */
  readonly completedMs: number | null
}

const { url, table, set } = scriptInput<HelperRequest>()
const pool = new pg.Pool({ connectionString: url, max: 8 })
const update = backfill<never>({ name: 'bench_backfill', table, set })
// It is to be there from the first second on; once it works it doesn't poll.
const updater = new BackgroundUpdater({
  database: fromPg(pool) as unknown as Database<never>,
  updates: [update],
  pollMs: 250,
  lanes: 2,
})
let working = false
let completedMs: number | null = null
updater.on('batch:success', () => {
  working = true
})
updater.on('update:complete', () => {
  completedMs = performance.timeOrigin + performance.now()
})
await updater.start()
sayReady()
// It is enqueued only now. Somebody who gives up before that must not leave this process behind. Whoever asks more often
// than this would be somebody else at work on the server.
const giveUpMs = performance.now() + 30_000
while (completedMs === null && (working ? !(await updater.hasCompleted(update)) : performance.now() < giveUpMs)) {
  await delay(working ? 1_000 : 250)
}
await updater.stop()
await pool.end()
const answer: HelperAnswer = { completedMs }
process.stdout.write(JSON.stringify(answer))
