import { backfill } from 'evenkeel'
import { expect, it } from 'vitest'
import { describePostgres } from '../support/postgres.js'
import { countedTable, expectEachRowOnce, lanesUsed, updaterOn } from './support.js'

const change = (lanes?: number) =>
  backfill<never>({ name: 'change', table: 'walked', set: { value: '1' }, ...(lanes === undefined ? {} : { lanes }) })

const TABLES: readonly (readonly [keys: string, columns: string, key: string, rows: string])[] = [
  [
    'dense bigint',
    'id BIGINT, value INTEGER',
    'id',
    'INSERT INTO walked (id) SELECT i FROM generate_series(1, 8000) AS i',
  ],
  [
    'sparse bigint beyond 2^53',
    'id BIGINT, value INTEGER',
    'id',
    'INSERT INTO walked (id) SELECT 9007199254740993 + i * 1000003::bigint FROM generate_series(1, 8000) AS i',
  ],
  [
    'skewed bigint',
    'id BIGINT, value INTEGER',
    'id',
    'INSERT INTO walked (id) SELECT CASE WHEN i <= 7000 THEN i ELSE i::bigint ^ 3 END FROM generate_series(1, 8000) AS i',
  ],
  [
    'uuid',
    'id UUID, value INTEGER',
    'id',
    'INSERT INTO walked (id) SELECT gen_random_uuid() FROM generate_series(1, 8000)',
  ],
  [
    'text',
    'id TEXT, value INTEGER',
    'id',
    `INSERT INTO walked (id) SELECT chr(65 + i % 26) || md5(i::text) || chr(228) FROM generate_series(1, 8000) AS i`,
  ],
  [
    'text in a collation of its own',
    'id TEXT COLLATE "C", value INTEGER',
    'id',
    `INSERT INTO walked (id) SELECT chr(97 - 32 * (i % 2)) || md5(i::text) FROM generate_series(1, 8000) AS i`,
  ],
  [
    'timestamp',
    'at TIMESTAMPTZ, value INTEGER',
    'at',
    `INSERT INTO walked (at) SELECT TIMESTAMPTZ '2024-01-01' + i * INTERVAL '1.000003 seconds' FROM generate_series(1, 8000) AS i`,
  ],
  [
    'composite',
    'a INTEGER, b TEXT, value INTEGER',
    'a, b',
    'INSERT INTO walked (a, b) SELECT i / 10, md5(i::text) FROM generate_series(1, 8000) AS i',
  ],
  [
    'composite with few values first',
    'a INTEGER, b INTEGER, value INTEGER',
    'a, b',
    'INSERT INTO walked (a, b) SELECT i % 3, i FROM generate_series(1, 8000) AS i',
  ],
]

describePostgres('lanes of a backfill', (postgres) => {
  const { version } = postgres
  it.each(TABLES)('change every row once: %s', async (_keys, columns, key, rows) => {
    const database = await postgres.freshDatabase()
    await countedTable(database.pool, columns, key, `${rows}; ANALYZE walked`)
    const updater = updaterOn(database, { updates: [change()], lanes: 4, maxBatchSize: 500 })
    const used = lanesUsed(updater)
    await updater.install()
    await updater.enqueue('change')
    await updater.runToCompletion()
    await expectEachRowOnce(database.pool)
    expect(used.size).toBeGreaterThanOrEqual(4)
    expect(used).not.toContain(undefined)
    expect(await updater.history()).toMatchObject([
      { outcome: 'completed', items: 8_000, failures: 0, progress: { walked: 8_000, changed: 8_000 } },
    ])
  })

  if (version !== 15 && version !== 18) return

  it.each([2, 8])('as many as are wanted: %d', async (lanes) => {
    const database = await postgres.freshDatabase()
    const [, columns, key, rows] = TABLES[0] as (typeof TABLES)[number]
    await countedTable(database.pool, columns, key, `${rows}; ANALYZE walked`)
    const updater = updaterOn(database, { updates: [change(lanes)], maxBatchSize: 200 })
    const used = lanesUsed(updater)
    await updater.install()
    await updater.enqueue('change')
    await updater.start()
    await updater.waitFor('change')
    await expectEachRowOnce(database.pool)
    expect(used.size).toBeGreaterThanOrEqual(lanes)
  })
})
