import { backfill, deleteRows, rowBackfill, SchemaMismatchError } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { expect, it, onTestFinished } from 'vitest'
import { queued } from '../support/walks.js'
import { describePostgres } from '../support/postgres.js'

const UPDATES = [
  ['backfill', () => backfill({ name: 'walk', table: 't', set: { n: 'n + 1' }, verify: 'n = 0' })],
  [
    'rowBackfill',
    () => rowBackfill<{ n: number }>({ name: 'walk', table: 't', columns: ['n'], map: () => ({ n: 1 }) }),
  ],
  ['deleteRows', () => deleteRows({ name: 'walk', table: 't', where: 'TRUE', maxDeletes: 'unlimited' })],
] as const

const HIDE = `
  ALTER TABLE t ENABLE ROW LEVEL SECURITY;
  CREATE POLICY one_tenant ON t USING (id <= 10)`

describePostgres('row-level security', (postgres) => {
  /** A table of 30 rows, and a pool of a role that may do anything with it but isn't its owner. */
  const table = async () => {
    const database = await postgres.freshDatabase()
    const { pool } = database
    const role = `role_${database.name}`
    await pool.query(`
      CREATE ROLE ${role} LOGIN PASSWORD 'secret';
      CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
      INSERT INTO t SELECT generate_series(1, 30);
      GRANT ALL ON SCHEMA public TO ${role};
      GRANT ALL ON t TO ${role}`)
    onTestFinished(async () => void (await pool.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`)))
    const url = new URL(database.url)
    url.username = role
    url.password = 'secret'
    const own = database.openPool({ connectionString: url.href })
    onTestFinished(() => own.end())
    const untouched = async () =>
      (await pool.query<{ rows: number }>('SELECT count(*)::int AS rows FROM t WHERE n = 0')).rows[0]?.rows
    return { pool, role, database: fromPg(own) as never, untouched }
  }

  it.each(UPDATES)('refuses %s where a policy may hide rows, until the role sees them all', async (_, update) => {
    const { pool, role, database, untouched } = await table()
    await pool.query(HIDE)
    const updater = await queued({ database }, update())
    const errors: unknown[] = []
    updater.on('batch:failure', ({ error }) => errors.push(error))
    await expect(updater.runToCompletion()).rejects.toThrow(
      new RegExp(`table public\\.t: row-level security may hide rows of it from the role "${role}".*BYPASSRLS`),
    )
    expect(errors).toEqual([expect.any(SchemaMismatchError)])
    expect(await untouched()).toBe(30)
    await pool.query(`ALTER ROLE ${role} BYPASSRLS`)
    await updater.retry('walk')
    await updater.runToCompletion()
    expect(await untouched()).toBe(0)
  })

  it('refuses the owner only where it is forced', async () => {
    const { pool, role, database, untouched } = await table()
    await pool.query(`${HIDE}; ALTER TABLE t OWNER TO ${role}; ALTER TABLE t FORCE ROW LEVEL SECURITY`)
    const updater = await queued({ database }, UPDATES[0][1]())
    await expect(updater.runToCompletion()).rejects.toThrow(/ALTER TABLE "public"\."t" NO FORCE ROW LEVEL SECURITY/)
    await pool.query('ALTER TABLE t NO FORCE ROW LEVEL SECURITY')
    await updater.retry('walk')
    await updater.runToCompletion()
    expect(await untouched()).toBe(0)
  })

  it('notices a policy that comes while the process walks', async () => {
    const { pool, database, untouched } = await table()
    const updater = await queued({ database }, UPDATES[0][1]())
    for (let batch = 0; batch < 2; batch += 1) await updater.runNextBatch()
    await pool.query(HIDE)
    await expect(updater.runToCompletion()).rejects.toThrow(/row-level security may hide rows/)
    expect(await untouched()).toBe(16)
  })
})
