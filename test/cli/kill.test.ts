import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { describePostgres } from '../support/postgres.js'
import { Project } from './shell-process.js'

const ROWS = 20_000

const config = (database: string) => `
import { backfill, defineConfig } from 'evenkeel'

export default defineConfig({
  database: '${database}',
  leaseMs: 300,
  pollMs: 50,
  updates: [
    backfill({ name: 'double', table: 't', set: { doubled: 'id * 2' }, maxBatchSize: 250 }),
    backfill({ name: 'triple', table: 't', set: { tripled: 'id * 3' }, maxBatchSize: 400, dependsOn: 'double' }),
  ],
})
`

// After how many events each run is killed: in the first moments, at batches' starts and ends, late, and in the next
// update; the odd steps let it fall before and after commits.
const KILLED_AFTER = [1, 2, 4, 7, 40, 13, 90, 5]

async function runAndKillUntilDone(project: Project): Promise<number> {
  for (const args of [['install'], ['enqueue', 'double'], ['enqueue', 'triple']]) {
    expect((await project.run(...args)).code).toBe(0)
  }
  let kills = 0
  for (const events of KILLED_AFTER) {
    const run = project.start('run', '--once', '--json')
    if (!(await run.prints(/"event"/, events))) continue
    run.kill('SIGKILL')
    if ((await run.ended).code === null) kills += 1
  }
  const last = await project.run('run', '--once')
  expect(last.stderr).toBe('')
  expect(last.code).toBe(0)
  return kills
}

describe('kill -9 of `evenkeel run` (SQLite)', () => {
  it('loses nothing and changes every row once', async () => {
    const project = new Project().write('evenkeel.config.ts', config('sqlite:app.db'))
    const handle = new Database(project.file('app.db'))
    handle.pragma('journal_mode = WAL')
    handle.exec(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, doubled INTEGER, tripled INTEGER, changes INTEGER NOT NULL DEFAULT 0);
      CREATE TRIGGER counts AFTER UPDATE OF doubled, tripled ON t
      BEGIN
        UPDATE t SET changes = changes + 1 WHERE id = NEW.id;
      END;
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
      INSERT INTO t (id) SELECT i FROM n;
    `)
    expect(await runAndKillUntilDone(project)).toBeGreaterThan(4)
    const wrong = handle
      .prepare('SELECT count(*) AS n FROM t WHERE doubled IS NOT id * 2 OR tripled IS NOT id * 3 OR changes <> 2')
      .get()
    expect(wrong).toEqual({ n: 0 })
    handle.close()
  })
})

describePostgres('kill -9 of `evenkeel run`', (postgres) => {
  it('loses nothing and changes every row once', async () => {
    const { pool, url } = await postgres.freshDatabase()
    const project = new Project().write('evenkeel.config.ts', config(url))
    await pool.query(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, doubled INTEGER, tripled INTEGER, changes INTEGER NOT NULL DEFAULT 0);
      INSERT INTO t (id) SELECT i FROM generate_series(1, ${ROWS}) AS i;
      CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.changes := OLD.changes + 1;
        RETURN NEW;
      END $$;
      CREATE TRIGGER counts BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION count_change();
    `)
    expect(await runAndKillUntilDone(project)).toBeGreaterThan(4)
    const { rows } = await pool.query(
      `SELECT count(*)::int AS n
       FROM t
       WHERE doubled IS DISTINCT FROM id * 2 OR tripled IS DISTINCT FROM id * 3 OR changes <> 2`,
    )
    expect(rows).toEqual([{ n: 0 }])
  })
})
