/** The process whose memory is watched: prints, as JSON, what it held after every tenth of the items. */
import { BackgroundUpdater, noPace, rowBackfill } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import pg from 'pg'
import { scriptInput } from '../measure/run-script.js'

/** What the process is told. */
export interface MemoryRequest {
  /** A PostgreSQL URL or a SQLite file. */
  readonly database: { readonly url: string } | { readonly file: string }
  readonly table: string
  readonly items: number
  readonly batchSize: number
}

/** Bytes after a number of items, garbage collected. */
export interface MemorySample {
  readonly items: number
  readonly heap: number
  readonly resident: number
}

const request = scriptInput<MemoryRequest>()
const update = rowBackfill<{ amount: number }>({
  name: 'bench_memory',
  table: request.table,
  columns: ['amount'],
  map: ({ amount }) => ({ total: amount * 2 }),
})
const pool = 'url' in request.database ? new pg.Pool({ connectionString: request.database.url, max: 4 }) : null
const updater = new BackgroundUpdater({
  database: pool ? fromPg(pool) : fromBetterSqlite3((request.database as { file: string }).file),
  updates: [update],
  pace: noPace(),
  defaultBatchSize: request.batchSize,
  maxBatchSize: request.batchSize,
})
const samples: MemorySample[] = []
let items = 0
updater.on('batch:success', (event) => {
  items += event.items
  if (items < ((samples.length + 1) * request.items) / 10) return
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  samples.push({ items, heap: heapUsed, resident: rss })
})
await updater.install()
await updater.enqueue(update)
await updater.runToCompletion()
await updater.stop()
await pool?.end()
process.stdout.write(JSON.stringify(samples))
