import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { startPostgresServers } from '../../test/support/postgres-servers.js'
import type { BenchOptions } from '../options.js'

/** The server of a run, from the package that the tests use, set up as a small production server. */
export interface BenchPostgres {
  /** For people: version and settings. */
  readonly about: string
  /** A superuser's URL of the database that is measured. */
  readonly url: string
  /** A connection for setting tables up, not for contestants. */
  readonly admin: pg.Client
  /** A pool for one contestant; ended by whoever asked for it. */
  openPool(): pg.Pool
  stop(): Promise<void>
}

const SETTINGS = { shared_buffers: '512MB' }

/** Whatever isn't named here is PostgreSQL's own default: max_wal_size 1 GB, checkpoint_timeout 5 min, autovacuum on. */
export async function startBenchPostgres(options: BenchOptions): Promise<BenchPostgres> {
  const settings = { ...SETTINGS, fsync: options.fsync ? 'on' : 'off', ...options.settings }
  const servers = await startPostgresServers([options.postgres], settings)
  const serverUrl = servers.urls[options.postgres] ?? ''
  const first = new pg.Client({ connectionString: serverUrl })
  await first.connect()
  await first.query('CREATE DATABASE bench TEMPLATE template0')
  await first.end()
  const address = new URL(serverUrl)
  address.pathname = '/bench'
  const url = address.href
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  return {
    about: await describe(admin),
    url,
    admin,
    openPool: () => {
      const pool = new pg.Pool({ connectionString: url, max: 8 })
      pool.on('error', () => {})
      return pool
    },
    async stop() {
      await admin.end()
      await servers.stop()
    },
  }
}

/** Waits until no statement of another client runs, so that nobody is measured beside his predecessor. */
export async function untilQuiet({ admin }: BenchPostgres): Promise<void> {
  for (;;) {
    const { rows } = await admin.query<{ busy: number }>(`
      SELECT count(*)::int AS busy
      FROM pg_stat_activity
      WHERE backend_type IN ('client backend', 'autovacuum worker')
        AND pid <> pg_backend_pid()
        AND state IS DISTINCT FROM 'idle'`)
    if (rows[0]?.busy === 0) return
    await delay(20)
  }
}

async function describe(admin: pg.Client): Promise<string> {
  const { rows } = await admin.query<{ name: string; value: string }>(`
    SELECT name, current_setting(name) AS value
    FROM pg_settings
    WHERE name IN ('server_version', 'shared_buffers', 'max_wal_size', 'checkpoint_timeout', 'fsync')
    ORDER BY name = 'server_version' DESC, name`)
  return rows
    .map(({ name, value }) => (name === 'server_version' ? `PostgreSQL ${value}` : `${name} ${value}`))
    .join(', ')
}
