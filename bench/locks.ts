import { addConstraint, BackgroundUpdater, check } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { LOCK_TIMEOUT_MS } from '../src/databases/lock-timeout.js'
import { startPostgresServers } from '../test/support/postgres-servers.js'

/**
 * How long a foreground SELECT waits while a change of the schema waits behind an old reader: by Evenkeel, and by an ALTER
 * TABLE without a lock_timeout. Prints the worst wait and its ratio to the lock_timeout; the goal is at most 2.
 */
const VERSION = '18'
const OLD_READER_MS = 3_000

const servers = await startPostgresServers([VERSION])
const pool = new pg.Pool({ connectionString: servers.urls[VERSION], max: 8 })
try {
  await new BackgroundUpdater({ database: fromPg(pool), updates: [] }).install()
  await pool.query(
    'CREATE TABLE t (id int PRIMARY KEY, value int); INSERT INTO t SELECT n, n FROM generate_series(1, 1000) AS n',
  )
  const evenkeel = await worstWait(() =>
    addConstraint(fromPg(pool), {
      constraintName: 'positive',
      table: 't',
      constraint: check('value > 0'),
      update: 'validate_positive',
    }),
  )
  const byHand = await worstWait(() => pool.query('ALTER TABLE t ADD CONSTRAINT by_hand CHECK (value > 0) NOT VALID'))
  const line = (title: string, ms: number) =>
    console.log(
      `${title.padEnd(34)} ${ms.toFixed(0).padStart(6)} ms ${(ms / LOCK_TIMEOUT_MS).toFixed(2).padStart(6)} × lock_timeout`,
    )
  console.log(
    `Worst wait of a SELECT beside a change of the schema behind a reader of ${OLD_READER_MS} ms, PostgreSQL ${VERSION}`,
  )
  line('addConstraint()', evenkeel)
  line('ALTER TABLE without lock_timeout', byHand)
  process.exitCode = evenkeel > 2 * LOCK_TIMEOUT_MS ? 1 : 0
} finally {
  await pool.end()
  await servers.stop()
}

/** The longest of the SELECTs that ran one after another while the change waited, in ms. */
async function worstWait(change: () => Promise<unknown>): Promise<number> {
  const reader = await pool.connect()
  await reader.query('BEGIN')
  await reader.query('SELECT FROM t LIMIT 1')
  let over = false
  const changing = change().finally(() => {
    over = true
  })
  const readerEnds = delay(OLD_READER_MS).then(() => reader.query('COMMIT'))
  let worst = 0
  while (!over) {
    const startedMs = performance.now()
    await pool.query('SELECT count(*) FROM t')
    worst = Math.max(worst, performance.now() - startedMs)
  }
  await Promise.all([changing, readerEnds])
  reader.release()
  return worst
}
