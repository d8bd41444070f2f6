import path from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { BackgroundUpdater, defineUpdate, noPace, type Database, type Dialect } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import { sized, type Bench } from '../bench.js'
import { QUIET } from '../contestants/quiet-logger.js'
import { rounds } from '../measure/rounds.js'
import type { Table } from '../report/table.js'

/** A queue beside the update whose batches are timed. */
interface Situation {
  readonly key: string
  readonly title: string
  /** Other rows of the queue, and whether they come before ours. */
  readonly others: 'none' | 'behind' | 'in front'
  /** Whether this process has a handler for each of them. */
  readonly handled: boolean
}

// A queue that makes batches this slow is measured by fewer of them.
const PATIENCE_MS = 2_000

const SITUATIONS: readonly Situation[] = [
  { key: 'alone', title: 'alone in the queue', others: 'none', handled: false },
  { key: 'behind', title: 'others behind it, without a handler here', others: 'behind', handled: false },
  { key: 'in-front', title: 'others in front of it, without a handler here', others: 'in front', handled: false },
  { key: 'registered', title: 'others behind it, all with a handler here', others: 'behind', handled: true },
]

/** Time of an empty batch by what else is in the queue. */
export async function timeByQueueSize(bench: Bench, dialect: Dialect): Promise<Table> {
  const others = sized(bench.options, { quick: 1_000, brief: 100_000, thorough: 100_000 })
  const repeat = bench.options.repeat ?? sized(bench.options, { quick: 1, brief: 1, thorough: 5 })
  const { database, close } = dialect === 'postgres' ? await onPostgres(bench) : onSqlite(bench)
  const batches = sized(bench.options, { quick: 20, brief: 100, thorough: 200 })
  const definitions = Array.from({ length: others }, (_, index) => empty(`other_${index + 1}`))
  const results = await rounds(SITUATIONS, repeat, async (situation, round) => {
    bench.progress(
      `queue of ${others.toLocaleString('en-US')}, ${dialect}: ${situation.title}, ${round + 1} of ${repeat}`,
    )
    return batchMs(database, situation, situation.handled ? definitions : [], others, batches)
  })
  await database.session(({ query }) => query('DELETE FROM background_updates'))
  await close()
  return {
    id: `scale-queue-${dialect}`,
    title: `Time of an empty batch beside ${others.toLocaleString('en-US')} other rows in the queue, ${dialect === 'postgres' ? 'PostgreSQL' : 'SQLite'}`,
    notes: [`${batches} batches, or as many as end in ${PATIENCE_MS / 1_000} s, ${repeat} times.`],
    columns: [{ key: 'batch', title: 'ms a batch', format: 'ms' }],
    rows: SITUATIONS.map((situation) => ({
      key: situation.key,
      title: situation.title,
      cells: { batch: results.get(situation) ?? [] },
    })),
  }
}

async function onPostgres(bench: Bench) {
  const pool = (await bench.postgres()).openPool()
  return { database: fromPg(pool) as unknown as Database<never>, close: () => pool.end() }
}

function onSqlite(bench: Bench) {
  const file = path.join(bench.directory, 'queue.sqlite')
  const handle = new BetterSqlite3(file)
  handle.pragma('journal_mode = WAL')
  handle.close()
  const database = fromBetterSqlite3(file) as unknown as Database<never>
  return { database, close: () => database.close() }
}

const empty = (name: string, batches = 1) =>
  defineUpdate<never, { readonly done?: number }>({
    name,
    batch: async ({ progress: { done = 0 } }) => ({
      items: 0,
      progress: { done: done + 1 },
      done: done + 1 >= batches,
    }),
  })

async function batchMs(
  database: Database<never>,
  { others }: Situation,
  definitions: readonly ReturnType<typeof empty>[],
  count: number,
  batches: number,
): Promise<number> {
  const update = empty('ours', Number.POSITIVE_INFINITY)
  const updater = new BackgroundUpdater({ database, updates: [update, ...definitions], pace: noPace(), logger: QUIET })
  await updater.install()
  await database.session(async ({ query }) => {
    await query('DELETE FROM background_updates')
    if (others !== 'none') await query(insertOthers(database.dialect, others === 'behind' ? 1 : -1, count))
    if (database.dialect === 'postgres') await query('VACUUM (ANALYZE) background_updates')
  })
  await updater.enqueue(update)
  const ends: number[] = []
  const enough = new Promise<void>((resolve) => {
    updater.on('batch:success', () => {
      // The look over the whole queue at the start isn't a batch's: the first one sets the clock.
      ends.push(performance.now())
      if (ends.length === batches || performance.now() - (ends[0] ?? 0) > PATIENCE_MS) resolve()
    })
  })
  const started = updater.start()
  await enough
  await started
  await updater.stop()
  return (
    ((ends[batches - 1] ?? ends.at(-1) ?? Number.NaN) - (ends[0] ?? Number.NaN)) / (Math.min(batches, ends.length) - 1)
  )
}

function insertOthers(dialect: Dialect, ordering: number, count: number): string {
  const numbers =
    dialect === 'postgres'
      ? `generate_series(1, ${count}) AS numbers (n)`
      : `(WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < ${count}) SELECT n FROM series)`
  return `
    INSERT INTO background_updates (update_name, ordering)
    SELECT 'other_' || n, ${ordering}
    FROM ${numbers}`
}
