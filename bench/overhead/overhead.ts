import path from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import type { Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import { sized, type Bench, type Part } from '../bench.js'
import { rounds } from '../measure/rounds.js'
import type { Table } from '../report/table.js'
import { byHandWithPg, byHandWithSqlite } from './by-hand.js'
import { emptyUpdate } from './empty-update.js'

/** Somebody who saves progress, batch after batch; resolves to the ms that it took. */
interface Contestant {
  readonly key: string
  readonly title: string
  readonly run: (batches: number) => Promise<number> | number
}

/** What a batch costs that does nothing, against the three statements that nobody can do without. */
export const overhead: Part = {
  name: 'overhead',
  async run(bench) {
    return [await onPostgres(bench), await onSqlite(bench, 'FULL'), await onSqlite(bench, 'NORMAL')]
  },
}

async function onPostgres(bench: Bench): Promise<Table> {
  const postgres = await bench.postgres()
  const pool = postgres.openPool()
  const plain = await pool.connect()
  try {
    const empty = await emptyUpdate(fromPg(pool) as unknown as Database<never>)
    return await measured(bench, {
      id: 'overhead-postgres',
      title: 'Overhead of an empty batch, PostgreSQL',
      note: `By hand is BEGIN, UPDATE of one progress row, COMMIT, with \`pg\`. ${postgres.about}.`,
      contestants: [
        { key: 'hand', title: 'by hand', run: await byHandWithPg(plain, { prepared: false }) },
        { key: 'prepared', title: 'by hand, prepared', run: await byHandWithPg(plain, { prepared: true }) },
        { key: 'evenkeel', title: 'Evenkeel, runToCompletion()', run: (batches) => empty.toCompletion(batches) },
        { key: 'loop', title: 'Evenkeel, start() without pauses', run: (batches) => empty.inTheLoop(batches) },
      ],
    })
  } finally {
    plain.release()
    await pool.end()
  }
}

/** By hand FULL flushes every commit; NORMAL leaves the last ones to the operating system. */
async function onSqlite(bench: Bench, synchronous: 'FULL' | 'NORMAL'): Promise<Table> {
  const file = path.join(bench.directory, `overhead-${synchronous}.sqlite`)
  const plain = new BetterSqlite3(file)
  const own = new BetterSqlite3(file)
  plain.pragma('journal_mode = WAL')
  for (const handle of [plain, own]) handle.pragma(`synchronous = ${synchronous}`)
  const database = fromBetterSqlite3(own)
  const flushed = synchronous === 'FULL' ? ' It flushes every commit, and ours the last.' : ''
  try {
    const empty = await emptyUpdate(database as unknown as Database<never>)
    return await measured(bench, {
      id: synchronous === 'FULL' ? 'overhead-sqlite' : 'overhead-sqlite-normal',
      title: `Overhead of an empty batch, SQLite, synchronous = ${synchronous}`,
      note: `By hand is BEGIN IMMEDIATE, UPDATE of one progress row, COMMIT, prepared, with \`better-sqlite3\`, in WAL mode.${flushed}`,
      contestants: [
        { key: 'hand', title: 'by hand', run: byHandWithSqlite(plain) },
        { key: 'evenkeel', title: 'Evenkeel, runToCompletion()', run: (batches) => empty.toCompletion(batches) },
        { key: 'loop', title: 'Evenkeel, start() without pauses', run: (batches) => empty.inTheLoop(batches) },
      ],
    })
  } finally {
    await database.close()
    own.close()
    plain.close()
  }
}

async function measured(
  { options, progress }: Bench,
  { id, title, note, contestants }: { id: string; title: string; note: string; contestants: readonly Contestant[] },
): Promise<Table> {
  const batches = sized(options, { quick: 50, brief: 1_000, thorough: 2_000 })
  const repeat = options.repeat ?? sized(options, { quick: 2, brief: 5, thorough: 9 })
  progress(title)
  // Once for nothing: compilers and caches warm up.
  for (const { run } of contestants) await run(Math.ceil(batches / 2))
  const results = await rounds(contestants, repeat, async ({ run }) => {
    const cpu = process.cpuUsage()
    const perBatch = ((await run(batches)) / batches) * 1_000
    const { user, system } = process.cpuUsage(cpu)
    return { perBatch, cpu: (user + system) / batches }
  })
  const hand = results.get(contestants[0] as Contestant) ?? []
  return {
    id,
    title,
    notes: [`${batches.toLocaleString('en-US')} batches, ${repeat} times.`, note],
    columns: [
      { key: 'batch', title: 'µs a batch', format: 'µs' },
      { key: 'ratio', title: '× by hand', format: 'ratio' },
      { key: 'cpu', title: "µs of Node's CPU", format: 'µs' },
    ],
    rows: contestants.map((contestant) => {
      const mine = results.get(contestant) ?? []
      return {
        key: contestant.key,
        title: contestant.title,
        cells: {
          batch: mine.map(({ perBatch }) => perBatch),
          // Of one round each: a slow round is slow for both.
          ratio: mine.map(({ perBatch }, round) => perBatch / (hand[round]?.perBatch ?? Number.NaN)),
          cpu: mine.map(({ cpu }) => cpu),
        },
      }
    }),
  }
}
