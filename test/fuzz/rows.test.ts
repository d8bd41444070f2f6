import { BackgroundUpdater, backfill, defineUpdate, type Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryLogger } from '../engine/support.js'
import { describePostgres } from '../support/postgres.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'
import { hostileText } from './hostile.js'
import { fuzz, inputs, typed } from './inputs.js'
import { catalogue, sentinel } from './sentinel.js'

const huge = JSON.stringify({ text: 'x'.repeat(10_000_000) })
const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`

const json = fc.oneof(
  { arbitrary: fc.json(), weight: 2 },
  { arbitrary: hostileText, weight: 2 },
  {
    arbitrary: fc.constantFrom(
      '[]',
      'null',
      '"text"',
      '{"step":1,"step":2}',
      '{"__proto__":{"polluted":true}}',
      '{"constructor":{"prototype":{"polluted":true}}}',
      '{"first":[1],"lower":["x"],"end":null,"walked":-1}',
      '{"lower":[{"integer":"9"}],"end":[1e999]}',
      '{"verification":{"pass":"x"}}',
      '{"tuner":"guarded","version":1,"size":1e400,"logCost":"x","noiseWidth":-1,"fixedMs":null,"overheadMs":[{}]}',
      '{"tuner":"guarded","version":1,"size":-5,"logCost":0,"noiseWidth":0,"fixedMs":0,"overheadMs":[]}',
      '{"recentItems":"x","idleBatches":1e9,"fraction":7}',
      deep,
    ),
    weight: 3,
  },
  { arbitrary: fc.nat(50).map((rare) => (rare === 0 ? huge : '{}')), weight: 1 },
)
const count = fc.constantFrom(-1, 0, 1, 19, 1_000_000, 2 ** 31 - 1, -(2 ** 31))
const time = fc.constantFrom('2000-01-01T00:00:00.000Z', '2999-01-01T00:00:00.000Z', '1970-01-01T00:00:00.000Z')
const text = hostileText.filter((value) => !value.includes('\0') && value.isWellFormed())
const orNull = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { freq: 3 })

/** Columns of a row as somebody's hand may leave them; what the table itself refuses isn't our business. */
const row = fc.record(
  {
    progress_json: json,
    depends_on: fc.oneof(fc.constantFrom(null, '', ',', 'x', 'x,y', ' y , ,x', 'y'.repeat(5_000)), text),
    ordering: count,
    state_by: orNull(text),
    state_reason: orNull(text),
    enqueued_at: orNull(time),
    enqueued_by: orNull(text),
    started_at: orNull(time),
    batches: count,
    items: count,
    busy_ms: fc.constantFrom(-1, 0, 1.5, 1e300),
    failures: count,
    attempts: count,
    outcomes: fc.oneof(text, fc.constant('x'.repeat(500))),
    last_error: orNull(text),
    retry_at: orNull(time),
    batch_size: orNull(count),
    tuner_json: orNull(json),
    statistics_json: orNull(json),
    lease_owner: orNull(text),
    lease_token: orNull(text),
    lease_expires_at: orNull(time),
    state: fc.constantFrom('queued', 'queued', 'queued', 'paused', 'failed'),
  },
  { requiredKeys: [] },
)
const setting = fc.option(json, { freq: 8 })

interface Edit {
  readonly columns: Readonly<Record<string, unknown>>
  readonly setting: string | null
  readonly kind: 'custom' | 'walk' | 'one-shot'
}

const edit: fc.Arbitrary<Edit> = fc.record({
  columns: row,
  setting,
  kind: fc.constantFrom('custom', 'walk', 'one-shot'),
})

async function fuzzRows(database: Database<never>, share: number): Promise<void> {
  await sentinel(database)
  const run = (sql: string, values?: readonly unknown[]) => database.session(({ query }) => query(sql, values))
  await run('CREATE TABLE walked (id INTEGER PRIMARY KEY, a INTEGER)')
  await run('INSERT INTO walked (id) VALUES (1), (2), (3)')
  const before = await catalogue(database)
  const updates = [
    defineUpdate<never>({ name: 'custom', batch: async () => ({ items: 1, done: true }) }),
    backfill({ name: 'walk', table: 'walked', set: { a: '1' }, verify: 'a IS NULL' }),
    defineUpdate<never>({ name: 'one-shot', oneShot: true, run: async () => {} }),
  ]
  const updater = new BackgroundUpdater<never>({
    database,
    updates: updates,
    logger: memoryLogger(),
    pollMs: 5,
  })
  await fuzz(
    `rows edited by hand (${database.dialect})`,
    inputs(share),
    edit,
    async ({ columns, setting: value, kind }) => {
      const names = Object.keys(columns)
      await run('DELETE FROM background_updates')
      await run('DELETE FROM background_update_settings')
      const inserted = await run(
        `INSERT INTO background_updates (${['update_name', ...names].join(', ')})
       VALUES (${['update_name', ...names].map((_, index) => `$${index + 1}`).join(', ')})`,
        [kind, ...Object.values(columns)],
      ).catch(() => null)
      // The column's type may refuse it.
      if (inserted === null) return
      if (value !== null) {
        await run("INSERT INTO background_update_settings (name, value_json) VALUES ('disabled', $1)", [value]).catch(
          () => null,
        )
      }
      const what = (verb: string) => () =>
        `${verb} of ${kind} with ${JSON.stringify(columns).slice(0, 500)}, switch ${value?.slice(0, 100)}`
      await typed(what('status'), () => updater.status())
      await typed(what('run'), () => updater.runNextBatch())
      await typed(what('wait'), () => updater.waitFor(kind, { timeoutMs: 0 }))
      await typed(what('pause'), () => updater.pause(kind))
      await typed(what('resume'), () => updater.resume(kind))
      await typed(what('retry'), () => updater.retry(kind, { quarantined: true }))
      await typed(what('run again'), () => updater.runNextBatch())
      await typed(what('status afterwards'), () => updater.status())
      await typed(what('cancel'), () => updater.cancel(kind))
      await typed(what('history'), () => updater.history({ limit: 2 }))
      // Nothing that was there is lost: it is queued still, or the history tells what became of it.
      const left = await run('SELECT 1 FROM background_updates UNION ALL SELECT 1 FROM background_update_history')
      expect(left.rows.length).toBeGreaterThan(0)
    },
  )
  await run('DELETE FROM background_updates')
  expect(await catalogue(database)).toEqual(before)
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
}

describe('rows edited by hand into nonsense (SQLite)', () => {
  it('give typed errors, and nothing is lost', { timeout: 600_000 }, async () => {
    await fuzzRows(fromBetterSqlite3(temporaryDatabaseFile()) as unknown as Database<never>, 0.02)
  })
})

describePostgres('rows edited by hand into nonsense', (postgres) => {
  it('give typed errors, and nothing is lost', { timeout: 600_000 }, async () => {
    await fuzzRows(fromPg(postgres.pool) as unknown as Database<never>, 0.001)
  })
})
