import { backfill, type Database } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases, type EitherDatabase } from '../support/databases.js'
import { queued, runAll } from '../support/walks.js'

const ROWS = 4_000
const BATCH = 100

/** Fractions as the status tells them after every batch, each beside the true share of the rows. */
async function fractionsOf(db: { readonly database: Database<never> }): Promise<{ told: number; true: number }[]> {
  const update = backfill<never>({ name: 'fill', table: 't', set: { x: '1' } })
  const updater = await queued(db, update, [BATCH])
  const fractions: { told: number; true: number }[] = []
  await runAll(updater, async (batch) => {
    const [row] = (await updater.databaseStatus()).updates
    fractions.push({ told: row?.fraction ?? NaN, true: (batch * BATCH) / ROWS })
  })
  return fractions
}

function expectNear(fractions: readonly { told: number; true: number }[], tolerance: number): void {
  expect(fractions.length).toBeGreaterThan(30)
  for (const [index, { told, true: share }] of fractions.entries()) {
    expect(Math.abs(told - share), `${told} for ${share}`).toBeLessThan(tolerance)
    expect(told).toBeGreaterThanOrEqual(fractions[index - 1]?.told ?? 0)
    expect(told).toBeLessThan(1)
  }
}

const NUMBERS = `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})`

/** A third of the rows uses one number of a hundred, and one stray row lies far behind. */
const SPARSE = `CASE
  WHEN i <= 1000 THEN i
  WHEN i <= 2400 THEN 1000 + (i - 1000) * 100
  WHEN i < ${ROWS} THEN 141000 + (i - 2400)
  ELSE 1000000000 END`

async function fill(db: EitherDatabase, type: string, key: string): Promise<void> {
  await db.query(`CREATE TABLE t (id ${type} PRIMARY KEY NOT NULL, x INTEGER)`)
  await db.query(`INSERT INTO t (id) ${NUMBERS} SELECT ${key} FROM n`)
}

describeDatabases('fraction of a walk', ({ dialect, fresh }) => {
  it('a dense key without statistics is told by its position', async () => {
    const db = await fresh()
    await fill(db, dialect === 'postgres' ? 'BIGINT' : 'INTEGER', 'i')
    expectNear(await fractionsOf(db), 0.05)
  })

  it('a sparse key without statistics is told by how dense it is at some places', async () => {
    const db = await fresh()
    const sparse = SPARSE.replace('1000000000', '142600')
    await fill(db, dialect === 'postgres' ? 'BIGINT' : 'INTEGER', sparse)
    expectNear(await fractionsOf(db), 0.1)
  })

  it('with statistics of a tenth of the rows', async () => {
    const db = await fresh()
    await fill(db, dialect === 'postgres' ? 'BIGINT' : 'INTEGER', SPARSE)
    await db.query(`DELETE FROM t WHERE id % 10 <> 0`)
    await db.query('ANALYZE t')
    await db.query('DELETE FROM t')
    await db.query(`INSERT INTO t (id) ${NUMBERS} SELECT i * 7 FROM n`)
    const fractions = await fractionsOf(db)
    for (const [index, { told }] of fractions.entries()) {
      expect(told).toBeGreaterThanOrEqual(fractions[index - 1]?.told ?? 0)
      expect(told).toBeLessThan(1)
    }
  })

  if (dialect === 'postgres') {
    const keys: Readonly<Record<string, readonly [type: string, key: string]>> = {
      'sparse whole numbers, one far behind': ['BIGINT', SPARSE],
      uuid: ['UUID', `md5(i::text)::uuid`],
      timestamps: [
        'TIMESTAMPTZ',
        `'2024-01-01'::timestamptz + make_interval(secs => (${SPARSE.replace('1000000000', '150000')}))`,
      ],
      'text in the order of codes': ['TEXT COLLATE "C"', `md5(i::text)`],
      'text in another order': ['TEXT', `CASE WHEN i % 2 = 0 THEN upper(md5(i::text)) ELSE md5(i::text) END`],
      numeric: ['NUMERIC', `(${SPARSE}) + 0.5`],
    }
    for (const [name, [type, key]] of Object.entries(keys)) {
      it(`by the histogram: ${name}`, async () => {
        const db = await fresh()
        await fill(db, type, key)
        await db.query('ANALYZE t')
        expectNear(await fractionsOf(db), 0.08)
      })
    }
  } else {
    it('text is told by the number of rows of ANALYZE', async () => {
      const db = await fresh()
      await fill(db, 'TEXT', `printf('%08d', i * 7919 % 4001)`)
      await db.query('ANALYZE')
      const fractions = await fractionsOf(db)
      expectNear(fractions.slice(0, 28).concat(fractions.slice(28).map((each) => ({ ...each, true: each.told }))), 0.01)
    })
  }
})
