import { fromPg } from 'evenkeel/pg'
import type { Database } from 'evenkeel'
import { expect, it } from 'vitest'
import { rowBackfill, type RowChange } from '../../src/updates/row-backfill.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'
import { queued, runAll } from '../support/walks.js'

interface Row {
  readonly id: number
  at: Date
  doc: unknown
  tags: string[]
  s: string
}
const COLUMNS = ['id', 'at', 'doc', 'tags', 's'] as const
const BIG = '{"big": 12345678901234567890}'

describePostgres('what rowBackfill leaves as it was read', (postgres) => {
  async function table(): Promise<TestDatabase> {
    const fresh = await postgres.freshDatabase()
    await fresh.pool.query(`
      CREATE DOMAIN short AS varchar(6);
      CREATE TABLE t (id int PRIMARY KEY, at timestamptz, doc jsonb, tags text[], s short, double int GENERATED ALWAYS AS (id * 2) STORED);
      INSERT INTO t
      SELECT g, '2024-01-01 00:00:00.123456Z', CASE WHEN g % 2 = 0 THEN 'null' ELSE '${BIG}' END::jsonb, '{a,NULL}', 's' || g
      FROM generate_series(1, 6) AS g;
      CREATE TABLE statements (n int);
      CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO statements VALUES (1); RETURN NULL; END $$;
      CREATE TRIGGER noting AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION note()`)
    return fresh
  }

  async function run(fresh: TestDatabase, map: (row: Row) => RowChange) {
    const before = await contents(fresh)
    const update = rowBackfill<Row>({ name: 'rows', table: 't', columns: COLUMNS, map })
    const updater = await queued({ database: fromPg(fresh.pool) as unknown as Database<never> }, update, [10])
    await runAll(updater)
    const after = await contents(fresh)
    const changes = after.map((row, index) =>
      Object.fromEntries(Object.entries(row).filter(([name, value]) => before[index]?.[name] !== value)),
    )
    const statements = (await fresh.pool.query('SELECT n FROM statements')).rows.length
    const { items, progress } = (await updater.history())[0] ?? {}
    return { changes, statements, items, changed: (progress as { changed?: number } | undefined)?.changed }
  }

  async function contents({ pool }: TestDatabase): Promise<Record<string, string | null>[]> {
    const { rows } = await pool.query<Record<string, string | null>>(
      'SELECT at::text, doc::text, tags::text, s, xmin::text FROM t ORDER BY id',
    )
    return rows
  }

  const written = expect.any(String) as string

  it('writes of a spread row only what map has changed, with one statement', async () => {
    const fresh = await table()
    const { changes, ...counts } = await run(fresh, (row) => ({
      ...row,
      ...(row.id === 2 ? { tags: ['b'] } : row.id === 3 ? { doc: null } : {}),
      ...(row.id < 5 ? { s: row.s.toUpperCase() } : {}),
      ...(row.id === 4 ? { s: row.s, at: new Date(row.at) } : {}),
    }))
    expect(changes).toEqual([
      { s: 'S1', xmin: written },
      { s: 'S2', tags: '{b}', xmin: written },
      { s: 'S3', doc: null, xmin: written },
      { at: expect.stringContaining(':00.123+') as string, xmin: written },
      {},
      {},
    ])
    expect(counts).toEqual({ statements: 1, items: 6, changed: 4 })
  })

  it('writes nothing where nothing is changed', async () => {
    const { changes, ...counts } = await run(await table(), (row) => ({ ...row }))
    expect(changes).toEqual([{}, {}, {}, {}, {}, {}])
    expect(counts).toEqual({ statements: 0, items: 6, changed: 0 })
  })

  it('writes what map has changed in place', async () => {
    const { changes } = await run(await table(), (row) => {
      if (row.id === 1) row.at.setUTCFullYear(2025)
      if (row.id === 3) Object.assign(row.doc as object, { small: 1 })
      if (row.id === 4) row.tags.push('c')
      if (row.id === 5) row.s = 'new'
      return row
    })
    expect(changes).toEqual([
      { at: expect.stringMatching(/^2025-01-01 .*:00.123\+/) as string, xmin: written },
      {},
      { doc: expect.stringContaining('"small": 1') as string, xmin: written },
      { tags: '{a,NULL,c}', xmin: written },
      { s: 'new', xmin: written },
      {},
    ])
  })

  it('refuses a value that is too long for some of the rows', async () => {
    const fresh = await table()
    const map = (row: Row) => ({
      ...row,
      ...(row.id === 2 ? { s: 'far too long' } : row.id === 3 ? { s: 'short' } : {}),
    })
    const update = rowBackfill<Row>({ name: 'rows', table: 't', columns: COLUMNS, map })
    const updater = await queued({ database: fromPg(fresh.pool) as unknown as Database<never> }, update, [10])
    await expect(updater.runToCompletion()).rejects.toThrow(/id = 2 failed: value too long for type/)
  })
})
