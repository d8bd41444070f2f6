import { BackgroundUpdater, postgresSignals, type Database } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { memoryLogger } from '../../engine/support.js'
import { OwnServer } from '../../support/own-server.js'
import { postgresVersions } from '../../support/postgres.js'
import { calm, stops, unknown, watchPostgres } from '../support.js'

// Small limits: nobody wants to write 256 MB of WAL for a test.
const { signals } = postgresSignals({
  replicationLagMs: 300,
  slotBytes: 20_000_000,
  archiverSegments: 2,
})

// The archive command fails until there is this file in the data directory.
const ARCHIVING_WORKS = 'archiving-works'

// What PostgreSQL offers for a server of one's own only: a standby, an archiver that fails, a restart.
describe.each(postgresVersions)('signals of a server (PostgreSQL %s)', (version) => {
  let server: OwnServer
  let standby: Awaited<ReturnType<OwnServer['standby']>>

  beforeAll(async () => {
    server = await OwnServer.start(version, {
      archive_mode: 'on',
      archive_command: `test -e ${ARCHIVING_WORKS}`,
      max_wal_size: '32MB',
      checkpoint_timeout: '30s',
      max_prepared_transactions: '5',
      autovacuum_naptime: '1s',
    })
    standby = await server.standby('replica')
  })
  afterAll(() => server.dispose())

  async function connect(url = server.url): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => {})
    await client.connect()
    onTestFinished(() => client.end())
    return client
  }

  it('a replica that is held back stops the work, in time as in WAL, until it has caught up', async () => {
    const primary = await connect()
    const replica = await connect(standby.url)
    await primary.query('CREATE TABLE replicated AS SELECT 1 AS id')
    const { until } = watchPostgres(server.url, signals)
    await until('replication lag', (reading) => calm(reading) && !reading.why.includes('no replica'))

    await replica.query('SELECT pg_wal_replay_pause()')
    await primary.query('INSERT INTO replicated SELECT generate_series(1, 1000)')
    const late = await until('replication lag', stops)
    expect(late.why).toMatch(/^replica "replica" is \d+ ms behind \(limit 300 ms\)$/)
    // It grows, although the server's own measure stands still while nothing is replayed.
    await until('replication lag', ({ value }) => (value ?? 0) > (late.value ?? 0) + 300)

    await replica.query('SELECT pg_wal_replay_resume()')
    await until('replication lag', calm)

    // The same by its WAL alone.
    const bySize = postgresSignals({ replicationLagMs: 3_600_000, replicationLagBytes: 1_000_000 })
    const bytes = watchPostgres(server.url, bySize.signals)
    await replica.query('SELECT pg_wal_replay_pause()')
    await primary.query('INSERT INTO replicated SELECT generate_series(1, 20000)')
    const behind = await bytes.until('replication lag', stops)
    expect(behind.why).toMatch(/^replica "replica" is [\d.]+ MB of WAL behind \(limit 977 kB\)$/)
    const ignoring = postgresSignals({ replicationLagMs: 1, ignoredReplicas: ['replica'] })
    await watchPostgres(server.url, ignoring.signals).until('replication lag', calm)
    await replica.query('SELECT pg_wal_replay_resume()')
    await bytes.until('replication lag', calm)
  })

  it('a slot that nobody reads stops the work before it fills the disk', async () => {
    const client = await connect()
    await client.query("SELECT pg_create_physical_replication_slot('forgotten', true)")
    const { until } = watchPostgres(server.url, signals)
    await until('replication slots', calm)
    await client.query(
      'CREATE TABLE slot_filler AS SELECT repeat(md5(i::text), 4) FROM generate_series(1, 150000) AS i',
    )
    const full = await until('replication slots', stops)
    expect(full.why).toMatch(/^slot without a consumer "forgotten" retains [\d.]+ MB of WAL \(limit 19 MB\)$/)
    await client.query("SELECT pg_drop_replication_slot('forgotten')")
    await until('replication slots', calm)
  })

  it('segments that an archiver fails at stop the work until it has caught up', async () => {
    const client = await connect()
    const { until } = watchPostgres(server.url, signals)
    for (let segment = 0; segment < 4; segment += 1) {
      await client.query('SELECT pg_logical_emit_message(true, $1, $1), pg_switch_wal()', [`segment ${segment}`])
    }
    const stuck = await until('archiver', stops)
    expect(stuck.why).toMatch(/^\d+ segments of WAL to be archived \(limit 2\)/)
    // Whoever mended it: the archiver tries again when the next segment is full.
    const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory')
    await client.query(`COPY (SELECT 1) TO '${rows[0]?.data_directory}/${ARCHIVING_WORKS}'`)
    await client.query("SELECT pg_logical_emit_message(true, 'last', 'one'), pg_switch_wal()")
    const mended = await until('archiver', calm)
    expect(mended.why).toMatch(/^[01] segments? of WAL to be archived \(limit 2\)$/)
  })

  it('a transaction that was prepared and forgotten counts as an open one', async () => {
    const client = await connect()
    await client.query('BEGIN')
    await client.query('CREATE TABLE of_prepared ()')
    await client.query("PREPARE TRANSACTION 'forgotten'")
    const { until } = watchPostgres(server.url, postgresSignals({ transactionMs: 50 }).signals)
    expect((await until('long transaction', stops)).why).toMatch(/prepared transaction 'forgotten'/)
    await client.query("ROLLBACK PREPARED 'forgotten'")
    await until('long transaction', calm)
  })

  it('sees the WAL rate, and the checkpoints that it forces', async () => {
    const client = await connect()
    const { until } = watchPostgres(server.url, signals)
    await until('wal rate', ({ value }) => value !== null)
    await client.query('CREATE TABLE writer (body text)')
    let forced = false
    while (!forced) {
      await client.query('INSERT INTO writer SELECT repeat(md5(i::text), 8) FROM generate_series(1, 40000) AS i')
      await client.query('SELECT pg_stat_clear_snapshot()')
      forced = await until('wal rate', stops).then(({ why }) => / [1-9]\d* forced checkpoint/.test(why))
    }
    const { why, utilisation } = await until('wal rate', stops)
    // 32 MB / 1.9 every 30 s.
    expect(why).toMatch(/^[\d.]+ MB\/s of WAL \(limit 575 kB\/s by max_wal_size and checkpoint_timeout\)/)
    expect(utilisation).toBeGreaterThan(1)
  })

  it('autovacuum of the table slows the work down', async () => {
    const client = await connect()
    // As slow as it may be told to be, so that it is still there when it is looked for.
    await client.query(`
      CREATE TABLE users (id INT, body TEXT)
      WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1,
        autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)`)
    // A session tells what it changed at its end, if not before.
    const writer = new pg.Client({ connectionString: server.url })
    await writer.connect()
    await writer.query("INSERT INTO users SELECT i, repeat('x', 500) FROM generate_series(1, 20000) AS i")
    await writer.query('DELETE FROM users WHERE id % 2 = 0')
    await writer.end()
    const { until } = watchPostgres(server.url, signals, { table: 'users' })
    const beside = await until('maintenance', ({ verdict }) => verdict === 'pressure')
    expect(beside.why).toMatch(/^autovacuum \(pid \d+\) works on users/)
    await client.query('DROP TABLE users')
    await until('maintenance', calm)
  })

  it('sessions that wait for a replica to have their commit do not count as at work', async () => {
    const client = await connect()
    await client.query('CREATE TABLE committed (id int)')
    const setStandby = async (names: string) => {
      await client.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`)
      await client.query('SELECT pg_reload_conf()')
    }
    await setStandby('nowhere')
    const writers = [await connect(), await connect(), await connect()]
    // Also when it fails, and before the writers are ended: they would wait for ever.
    onTestFinished(() => setStandby(''))
    const waiting = writers.map((writer) => writer.query('INSERT INTO committed VALUES (1)'))
    const stuck = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event = 'SyncRep'`
    while ((await client.query<{ count: number }>(stuck)).rows[0]?.count !== 3);
    const { until } = watchPostgres(server.url, postgresSignals({ cores: 1 }).signals)
    await until('active backends', ({ value }) => value === 0)
    // That somebody is there is another question.
    await until('foreground', ({ why }) => why.endsWith('3 statements of theirs at work'))
    await setStandby('')
    await Promise.all(waiting)
  })

  it('sessions of our other processes are not taken for strangers: their commits are counted first', async () => {
    const client = await connect()
    const { until } = watchPostgres(server.url, postgresSignals({ foregroundTps: 1_000_000 }).signals, {
      own: { otherRunners: async () => ({ runners: 1, batches: 0 }), backends: () => [] },
    })
    const working = setInterval(() => void client.query('SELECT 1').catch(() => {}), 5)
    onTestFinished(() => clearInterval(working))
    const first = await until('foreground', () => true)
    expect(first.verdict).toBe('calm')
    expect(first.value).not.toBeNull()
  })

  it('processes of ours that wait for work are no foreground, however many; who works beside them is', async () => {
    const openPool = () => {
      const pool = new pg.Pool({ connectionString: server.url, max: 2 })
      pool.on('error', () => {})
      onTestFinished(() => pool.end())
      return pool
    }
    for (let waiting = 0; waiting < 10; waiting += 1) {
      const database = fromPg(openPool()) as unknown as Database<never>
      const updater = new BackgroundUpdater<never>({ database, updates: [], logger: memoryLogger() })
      await updater.install()
      await updater.start()
      onTestFinished(() => updater.stop())
    }
    const client = await connect()
    const { until } = watchPostgres(server.url, postgresSignals().signals, { own: { backends: () => [] } })
    const verdicts = new Set<string>()
    // Long enough for the rates of two seconds to be told.
    const begunMs = performance.now()
    await until('foreground', ({ verdict, value }) => {
      verdicts.add(verdict)
      return value !== null && performance.now() - begunMs > 3_000
    })
    expect([...verdicts]).toEqual(['calm'])

    // From version 15 on a session that reads no table doesn't report its commits.
    const working = setInterval(() => void client.query('SELECT count(*) FROM pg_class').catch(() => {}), 4)
    onTestFinished(() => clearInterval(working))
    await until('foreground', ({ verdict, value }) => verdict === 'pressure' && (value ?? 0) > 20)
  })

  it('what a role may not see is unknown, blocks nothing and is said once; the rest is read', async () => {
    const client = await connect()
    await client.query("CREATE ROLE plain LOGIN PASSWORD 'plain'")
    await client.query('BEGIN; SELECT 1')
    const url = new URL(server.url)
    url.username = 'plain'
    url.password = 'plain'
    const { until, logger, sampler } = watchPostgres(url.href, signals)
    expect((await until('replication lag', unknown)).why).toContain('grant pg_read_all_stats')
    expect((await until('long transaction', unknown)).why).toContain('grant pg_read_all_stats')
    for (const name of ['replication slots', 'archiver', 'lock waiters', 'foreground', 'active backends', 'wal rate']) {
      expect(await until(name, ({ verdict }) => verdict !== 'unknown')).toMatchObject({ signal: name })
    }
    expect(sampler.readings().filter(unknown)).toMatchObject([{ lastReadMs: null }, { lastReadMs: null }])
    expect(logger.texts('info').toSorted()).toEqual([
      expect.stringMatching(/^signal "long transaction" tells nothing: .*grant pg_read_all_stats$/),
      expect.stringMatching(/^signal "replication lag" tells nothing: .*grant pg_read_all_stats$/),
    ])
    expect(logger.texts('warn')).toEqual([])

    // Without the rights to a function, what needs it is unknown, and nothing else.
    await client.query('COMMIT')
    await client.query('REVOKE EXECUTE ON FUNCTION pg_current_wal_lsn(), pg_current_wal_insert_lsn() FROM PUBLIC')
    const stricter = watchPostgres(url.href, signals)
    expect((await stricter.until('wal rate', unknown)).why).toMatch(/permission denied.*42501/)
    expect((await stricter.until('archiver', unknown)).why).toMatch(/permission denied/)
    await stricter.until('foreground', ({ value }) => value !== null)
    await stricter.until('long transaction', () => true)
    await client.query(
      `GRANT EXECUTE ON FUNCTION pg_current_wal_lsn(), pg_current_wal_insert_lsn() TO PUBLIC; GRANT pg_monitor TO plain`,
    )
    const monitor = watchPostgres(url.href, signals)
    await monitor.until('replication lag', calm)
    await monitor.until('long transaction', ({ verdict }) => verdict !== 'unknown')
  })

  it('on a replica, as after a fail-over, what only a primary can tell is unknown', async () => {
    const { until } = watchPostgres(standby.url, signals)
    for (const name of ['wal rate', 'wal bytes', 'archiver']) {
      expect((await until(name, unknown)).why).toMatch(/recovery is in progress/)
    }
    await until('long transaction', calm)
  })

  it('a restart is survived: unknown while the server is away, read again after it, no rate below zero', async () => {
    const { until, sampler } = watchPostgres(server.url, signals)
    await until('wal bytes', ({ value }) => value !== null)
    await server.stop()
    const away = await until('wal bytes', unknown)
    expect(away).toMatchObject({
      lastReadMs: expect.any(Number) as number,
      why: expect.stringContaining("can't be read") as string,
    })
    await server.startAgain()
    await until('wal bytes', calm)
    await until('foreground', ({ value }) => value !== null)
    for (const { value } of sampler.readings()) expect(value ?? 0).toBeGreaterThanOrEqual(0)
  })
})
