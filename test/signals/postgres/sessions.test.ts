import { postgresSignals } from 'evenkeel'
import { expect, it, onTestFinished } from 'vitest'
import { describePostgres, type TestDatabase } from '../../support/postgres.js'
import { calm, stops, watchPostgres } from '../support.js'

describePostgres('signals of sessions', (postgres) => {
  const freshDatabase = () => postgres.freshDatabase()

  async function withRow(): Promise<TestDatabase> {
    const database = await freshDatabase()
    await database.pool.query('CREATE TABLE users (id INT PRIMARY KEY, seen INT)')
    await database.pool.query('INSERT INTO users VALUES (1, 0)')
    return database
  }

  it('a long transaction stops the work, also one that idles, but never one of ours', async () => {
    const database = await freshDatabase()
    const { signals } = postgresSignals({ transactionMs: 50 })
    const { until } = watchPostgres(database.url, signals)
    await until('long transaction', calm)

    const ours = await database.openClient({ application_name: 'evenkeel:backfill' })
    await ours.query('BEGIN; SELECT 1; SELECT pg_sleep(0.1)')
    const quiet = await until('long transaction', () => true)
    expect(quiet.verdict).toBe('calm')

    const theirs = await database.openClient({ application_name: 'report' })
    await theirs.query('BEGIN; SELECT 1')
    const late = await until('long transaction', stops)
    expect(late.why).toMatch(
      /^the transaction of pid \d+ \(report, idle in transaction\) is open for .+ \(limit 50 ms\)$/,
    )
    await theirs.query('COMMIT')
    await until('long transaction', calm)
  })

  it('a writer who waits for a row of our batch is seen; one who waits for somebody else is not ours', async () => {
    const database = await withRow()
    const { until } = watchPostgres(database.url, postgresSignals({ lockWaiters: 1 }).signals)
    const change = 'UPDATE users SET seen = seen + 1 WHERE id = 1'
    const stranger = await database.openClient({ application_name: 'app' })
    await stranger.query('BEGIN')
    await stranger.query(change)
    const writer = await database.openClient({ application_name: 'app' })
    const waiting = writer.query(change)
    await until('lock waiters', calm)
    await stranger.query('ROLLBACK')
    await waiting

    const batch = await database.openClient()
    await batch.query("BEGIN; SET LOCAL application_name = 'evenkeel:backfill'")
    await batch.query(change)
    const behindUs = writer.query(change)
    const seen = await until('lock waiters', ({ value }) => value === 1)
    expect(seen).toMatchObject({ verdict: 'pressure', utilisation: 1 })
    expect(seen.why).toMatch(/^waiting for a lock of ours: 1 session, the longest for \d+ m?s \(limit 1\)$/)
    await batch.query('COMMIT')
    await behindUs
    await until('lock waiters', ({ value }) => value === 0)
  })

  it('whoever else commits is the foreground; our own commits are not', async () => {
    const database = await withRow()
    let ours = 0
    const { until } = watchPostgres(database.url, postgresSignals({ foregroundTps: 1 }).signals, {
      own: { commits: () => ours },
    })
    const writer = await database.openClient({ application_name: 'app' })
    let stopped = false
    const writing = (async () => {
      while (!stopped) await writer.query('UPDATE users SET seen = seen + 1 WHERE id = 1')
    })()
    onTestFinished(() => {
      stopped = true
    })
    const there = await until('foreground', ({ verdict, value }) => verdict === 'pressure' && (value ?? 0) > 20)
    expect(there.utilisation).toBeLessThan(1)
    expect(there.why).toMatch(/^others are at work: \d+ commits\/s that aren't ours/)
    stopped = true
    await writing
    // As if all of them had been ours: none is left for a foreground.
    ours = 1_000_000
    await until('foreground', ({ value }) => value === 0)
  })

  it('a statement that runs at length is a foreground without a single commit, and a session at work', async () => {
    const database = await freshDatabase()
    const { until } = watchPostgres(database.url, postgresSignals({ cores: 1, foregroundTps: 1_000_000 }).signals)
    const client = await database.openClient({ application_name: 'report' })
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const running = client.query('SELECT pg_sleep(600)').catch((error: unknown) => error)
    expect((await until('foreground', ({ verdict }) => verdict === 'pressure')).why).toMatch(/of theirs at work$/)
    const busy = await until('active backends', ({ utilisation }) => (utilisation ?? 0) > 0.9)
    expect(busy.why).toMatch(/at work \(limit 1\)$/)
    await database.pool.query('SELECT pg_cancel_backend($1)', [rows[0]?.pid])
    await running
  })

  it('sessions at work slow the work down from the first look on, and stop it when some looks agree', async () => {
    const database = await freshDatabase()
    const clients = [await database.openClient(), await database.openClient(), await database.openClient()]
    const running = clients.map((client) => client.query('SELECT pg_sleep(600)').catch((error: unknown) => error))
    const signals = postgresSignals({ cores: 1 }).signals.filter(({ name }) => name === 'active backends')
    const { until } = watchPostgres(database.url, signals)
    expect(await until('active backends', () => true)).toMatchObject({ verdict: 'pressure', utilisation: 1 })
    expect(await until('active backends', stops)).toMatchObject({ utilisation: expect.any(Number) as number })
    await database.pool.query(`
      SELECT pg_cancel_backend(pid) FROM pg_stat_activity
      WHERE query LIKE 'SELECT pg_sleep%' AND datname = current_database()`)
    await Promise.all(running)
    await until('active backends', calm)
  })

  it('counts the cores of a server on this machine', async () => {
    const database = await freshDatabase()
    const { until } = watchPostgres(database.url, postgresSignals().signals)
    expect((await until('active backends', () => true)).why).not.toContain('guess')
  })
})
