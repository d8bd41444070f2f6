import { BackgroundUpdater, backfill, emaTuner, noPace, type Database } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { sized, type Bench } from '../bench.js'
import { rounds } from '../measure/rounds.js'
import { median } from '../measure/summary.js'
import { untilQuiet, type BenchPostgres } from '../postgres/bench-postgres.js'
import type { Table } from '../report/table.js'

const BATCH_SIZE = 1_000
const BATCHES = 30
const WARM_UP_BATCHES = 5

const PLACES = [
  { key: 'start', title: 'at the start', of: 0 },
  { key: 'middle', title: 'in the middle', of: 0.5 },
  { key: 'end', title: 'at the end', of: 1 },
] as const

/** Time of a batch of a fixed size, by the size of the table and the place of the key that the walk has reached. */
export async function timeByTableSize(bench: Bench): Promise<Table> {
  const postgres = await bench.postgres()
  const sizes = sized(bench.options, { quick: [50_000, 200_000], brief: [1e5, 1e6, 1e7], thorough: [1e5, 1e6, 1e7] })
  const repeat = bench.options.repeat ?? sized(bench.options, { quick: 1, brief: 5, thorough: 15 })
  for (const rows of sizes) {
    bench.progress(`loading ${rows.toLocaleString('en-US')} rows`)
    await createTable(postgres, rows)
  }
  await untilQuiet(postgres)
  await postgres.admin.query('CHECKPOINT')
  const spots = sizes.flatMap((rows) => PLACES.map((place) => ({ rows, place })))
  // Once for nothing: the caches of the server warm up.
  for (const { rows, place } of spots) await batchMs(postgres, rows, place.of)
  const results = await rounds(spots, repeat, ({ rows, place }, round) => {
    bench.progress(`batches ${place.title} of ${rows.toLocaleString('en-US')} rows, ${round + 1} of ${repeat}`)
    return batchMs(postgres, rows, place.of)
  })
  for (const rows of sizes) await postgres.admin.query(`DROP TABLE ${nameOf(rows)}`)
  return {
    id: 'scale-rows',
    title: 'Time of a batch by the size of the table and the place of the key, PostgreSQL',
    notes: [
      `Batches of ${BATCH_SIZE.toLocaleString('en-US')} rows; medians of ${BATCHES}, ${repeat} times. ${postgres.about}.`,
    ],
    columns: PLACES.map(({ key, title }) => ({ key, title: `${title}, ms`, format: 'ms' })),
    rows: sizes.map((rows) => {
      const cell = (key: string) =>
        results.get(spots.find((spot) => spot.rows === rows && spot.place.key === key) as never)
      return {
        key: String(rows),
        title: `${rows.toLocaleString('en-US')} rows`,
        cells: Object.fromEntries(PLACES.map(({ key }) => [key, cell(key) ?? []])),
      }
    }),
  }
}

const nameOf = (rows: number) => `bench_scale_${rows}`

// Half-filled pages: a row's new version fits beside it, so a second round finds the table as the first one did.
async function createTable({ admin }: BenchPostgres, rows: number): Promise<void> {
  const name = nameOf(rows)
  await admin.query(`
    CREATE TABLE ${name} WITH (fillfactor = 45, autovacuum_enabled = off) AS
    SELECT n AS id, 0 AS value
    FROM generate_series(1, ${rows}::bigint) AS n`)
  await admin.query(`ALTER TABLE ${name} ADD PRIMARY KEY (id)`)
  await admin.query(`VACUUM (ANALYZE) ${name}`)
}

/** From the end of one batch to the end of the next, the median. */
async function batchMs(postgres: BenchPostgres, rows: number, place: number): Promise<number> {
  const pool = postgres.openPool()
  const update = backfill<never>({ name: 'bench_scale', table: nameOf(rows), set: { value: 'value + 1' } })
  const updater = new BackgroundUpdater({
    database: fromPg(pool) as unknown as Database<never>,
    updates: [update],
    tuner: emaTuner(),
    pace: noPace(),
    minBatchSize: BATCH_SIZE,
    defaultBatchSize: BATCH_SIZE,
    maxBatchSize: BATCH_SIZE,
  })
  const lower = Math.floor((rows - BATCHES * BATCH_SIZE) * place)
  const ends: number[] = []
  const enough = new Promise<void>((resolve) => {
    updater.on('batch:success', () => {
      if (ends.push(performance.now()) === BATCHES) resolve()
    })
    updater.on('update:complete', () => resolve())
  })
  await updater.install()
  await updater.enqueue(update, { progress: { lower: [String(lower)] } })
  await updater.start()
  await enough
  await updater.stop()
  await updater.cancel(update).catch(() => {})
  await pool.end()
  return median(
    ends
      .slice(1, BATCHES)
      .map((end, index) => end - (ends[index] ?? Number.NaN))
      .slice(WARM_UP_BATCHES),
  )
}
