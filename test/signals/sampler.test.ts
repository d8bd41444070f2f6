import { postgresSignals, signal, type Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg, type FromPgOptions } from 'evenkeel/pg'
import BetterSqlite3 from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { describePostgres } from '../support/postgres.js'
import { gate } from '../engine/support.js'
import { calm, stops, unknown, watch, watchPostgres } from './support.js'

const never = new AbortController().signal

function anyDatabase(): Database<never> {
  const database = fromBetterSqlite3(new BetterSqlite3(':memory:')) as unknown as Database<never>
  onTestFinished(() => database.close())
  return database
}

describe('the sampler', () => {
  it('reads each signal at its own pace, and a number against its threshold', async () => {
    let load = 10
    const { until } = watch(anyDatabase(), [
      signal({ name: 'load', threshold: 100, sample: () => load }),
      signal({ name: 'word', sample: async () => ({ value: 1, verdict: 'pressure', why: 'so' }) }),
    ])
    expect(await until('load', calm)).toMatchObject({
      value: 10,
      utilisation: 0.1,
      why: '10 (limit 100)',
      kind: 'gauge',
    })
    expect(await until('word', () => true)).toMatchObject({ verdict: 'pressure', why: 'so' })
    load = 90
    await until('load', ({ verdict }) => verdict === 'pressure')
    load = 101
    await until('load', stops)
  })

  it('a signal that throws, hangs or talks nonsense is unknown, and the others go on', async () => {
    const hanging = gate()
    onTestFinished(() => hanging.open())
    let asked = 0
    const { until, logger } = watch(anyDatabase(), [
      signal({
        name: 'hangs',
        timeoutMs: 20,
        async sample() {
          asked += 1
          await hanging.opened
          return { value: 1, verdict: 'calm', why: 'at last' }
        },
      }),
      signal({
        name: 'throws',
        sample() {
          throw new Error('no such thing')
        },
      }),
      signal({ name: 'nonsense', sample: () => ({ verdict: 'perhaps' }) as never }),
      signal({ name: 'no number', threshold: 1, sample: () => NaN }),
      signal({ name: 'fine', threshold: 1, sample: () => 0 }),
    ])
    expect((await until('hangs', unknown)).why).toBe("can't be read: no answer within 20 ms")
    expect((await until('throws', unknown)).why).toBe("can't be read: no such thing")
    expect((await until('nonsense', unknown)).why).toContain('it must be one of calm, pressure, stop, unknown')
    expect((await until('no number', unknown)).why).toContain('sample returned NaN')
    await until('fine', calm)
    // Never two at the same time, however long the first one takes.
    const { lastReadMs } = await until('fine', calm)
    await until('fine', (reading) => (reading.lastReadMs ?? 0) > (lastReadMs ?? 0) + 200)
    expect(asked).toBe(1)
    hanging.open()
    await until('hangs', calm)
    expect(logger.texts('info')).toHaveLength(4)
  })

  it('a hard stop that was read and fails keeps the time when it was read, and warns', async () => {
    let works = true
    const { until, logger } = watch(anyDatabase(), [
      signal({
        name: 'lag',
        kind: 'hard stop',
        threshold: 1,
        sample() {
          if (works) return 0
          throw new Error('gone')
        },
      }),
    ])
    const { lastReadMs } = await until('lag', calm)
    works = false
    const failed = await until('lag', unknown)
    expect(failed.lastReadMs).toBeGreaterThanOrEqual(lastReadMs ?? Infinity)
    expect(failed.why).toMatch(/^can't be read for \d+ ms: gone$/)
    expect(logger.texts('warn')).toEqual(['signal "lag" tells nothing: gone'])
    works = true
    await until('lag', calm)
  })

  it('resolves when everything was looked at once, measures nothing before and nothing after', async () => {
    let asked = 0
    const slow = gate()
    const { sampler } = watch(anyDatabase(), [
      signal({ name: 'slow', threshold: 1, sample: () => slow.opened.then(() => 0) }),
      signal({
        name: 'counts',
        threshold: 1,
        sample() {
          asked += 1
          return 0
        },
      }),
    ])
    expect(sampler.names).toEqual(['slow', 'counts'])
    expect(sampler.readings()).toEqual([])
    expect(asked).toBe(0)
    const awake = sampler.awake(null, never)
    slow.open()
    await awake
    expect(sampler.readings().map(({ verdict }) => verdict)).toEqual(['calm', 'calm'])
    await sampler.stop()
    const before = asked
    for (let turn = 0; turn < 1_000; turn += 1) await new Promise(setImmediate)
    expect(asked).toBe(before)
    // What was read last stays to be looked at.
    expect(sampler.readings()).toHaveLength(2)
    await sampler.awake(null, never)
    expect(asked).toBe(before + 1)
  })

  it('stops although a signal ignores that it is told to', async () => {
    const { sampler, until } = watch(anyDatabase(), [
      signal({ name: 'deaf', timeoutMs: 60_000, sample: () => new Promise(() => {}) }),
      signal({ name: 'fine', threshold: 1, sample: () => 0 }),
    ])
    const stop = new AbortController()
    const awake = sampler.awake(null, stop.signal)
    stop.abort()
    await awake
    await sampler.stop()
    expect(until).toBeDefined()
  })
})

describePostgres('the sampler', (postgres) => {
  it('cancels a statement beyond its time-out in the server, and leaves nothing behind', async () => {
    const database = await postgres.freshDatabase()
    const { until, sampler } = watchPostgres(database.url, [
      signal({
        name: 'sleeps',
        timeoutMs: 100,
        async sample({ query }) {
          await query('SELECT pg_sleep(600)')
          return { value: 0, verdict: 'calm', why: 'woke up' }
        },
      }),
      ...postgresSignals().signals,
    ])
    expect((await until('sleeps', unknown)).why).toMatch(
      /^can't be read: (no answer within 100 ms|.*statement timeout)/,
    )
    await until('replication lag', calm)
    await sampler.stop()
    const sleeping = `SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`
    while ((await database.pool.query(sleeping)).rowCount !== 0);
  })

  it('reads in transactions that can write nothing, and leaves no setting on the session', async () => {
    const database = await postgres.freshDatabase()
    await database.pool.query('CREATE TABLE users (id INT)')
    const settings = `
      SELECT name, setting FROM pg_settings
      WHERE name IN ('application_name', 'statement_timeout', 'lock_timeout', 'transaction_read_only')
      ORDER BY name`
    const pool = database.openPool({ application_name: 'app', max: 1 })
    const adapter = fromPg(pool) as unknown as Database<never>
    const { until, sampler } = watch(adapter, [
      signal({
        name: 'writes',
        threshold: 1,
        async sample({ query }) {
          await query('INSERT INTO users VALUES (1)')
          return 0
        },
      }),
      signal({
        name: 'settings',
        async sample({ query }) {
          const { rows } = await query(settings)
          return { value: 0, verdict: 'calm', why: JSON.stringify(rows.map(({ setting }) => setting)) }
        },
      }),
      ...postgresSignals().signals,
    ])
    expect((await until('writes', unknown)).why).toMatch(/read-only transaction.*25006/)
    expect((await until('settings', calm)).why).toBe('["evenkeel:signals","100","1000","on"]')
    await sampler.stop()
    const { rows } = await pool.query(settings)
    expect(rows.map(({ setting }: { setting: string }) => setting)).toEqual(['app', '0', '0', 'off'])
  })

  it('prepares the statements of ready-made signals, but not those of the application', async () => {
    const database = await postgres.freshDatabase()
    const preparedWith = async (options: FromPgOptions) => {
      const pool = database.openPool({ max: 1 })
      let asked = 0
      const own = signal({
        name: 'own',
        threshold: 1,
        async sample({ query }) {
          await query(`SELECT ${(asked += 1)} AS number, $1::int AS value`, [1])
          return 0
        },
      })
      const { until, sampler } = watch(fromPg(pool, options) as unknown as Database<never>, [
        own,
        ...postgresSignals().signals,
      ])
      await until('foreground', () => true)
      await until('own', () => asked > 1)
      // Before the end, for that gives up a connection whose statement it has to cancel.
      const { rows } = await pool.query('SELECT statement FROM pg_prepared_statements')
      await sampler.stop()
      return (rows as { statement: string }[]).map(({ statement }) => statement)
    }
    const prepared = await preparedWith({})
    expect(prepared.filter((text) => text.includes('pg_stat_activity')).length).toBeGreaterThan(0)
    expect(prepared.filter((text) => text.includes('max_wal_size'))).toHaveLength(1)
    expect(prepared.filter((text) => text.includes('AS number'))).toEqual([])
    expect(await preparedWith({ transactionPooler: true })).toEqual([])
  })

  it('a pool without a free connection holds up nothing but the signals', async () => {
    const database = await postgres.freshDatabase()
    const pool = database.openPool({ max: 1 })
    const client = await pool.connect()
    const { sampler, until } = watch(fromPg(pool) as unknown as Database<never>, [
      ...postgresSignals().signals,
      signal({ name: 'own', threshold: 1, sample: () => 0 }),
    ])
    await until('own', calm)
    expect(sampler.readings()).toHaveLength(1)
    client.release()
    await until('wal bytes', calm)
  })
})
