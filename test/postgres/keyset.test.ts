import { fromPg } from 'evenkeel/pg'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { describeTable } from '../../src/databases/catalogue/table.js'
import type { Query } from '../../src/databases/database.js'
import { nextRange, planWalk, walkBounds, type WalkPlan } from '../../src/keyset/walk.js'
import { describePostgres, type PostgresContext } from '../support/postgres.js'
import { walkWhole } from '../support/walk-whole.js'

interface KeyType {
  readonly type: string
  readonly values: fc.Arbitrary<string>
  readonly before?: string
  /** Settings under which the keys must still be exact. */
  readonly session?: string
}

const digits = (most: number) => fc.bigInt({ min: -(10n ** BigInt(most)), max: 10n ** BigInt(most) })
const bigints = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)
const texts = fc.string({
  unit: fc.constantFrom('a', 'B', 'b', 'Z', 'ä', 'ß', ' ', '_', '"', '\\', '1', '𝔘', '\uFFFD'),
  maxLength: 5,
})
const instants = fc
  .tuple(
    fc.integer({ min: 1, max: 9999 }),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 28 }),
    fc.integer({ min: 0, max: 86_399_999_999 }),
    fc.boolean(),
  )
  .map(([year, month, day, micros, bc]) => {
    const seconds = Math.floor(micros / 1_000_000)
    const two = (n: number) => String(n).padStart(2, '0')
    const time = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${String(micros % 1_000_000).padStart(6, '0')}`
    // There is no day before 4713 BC.
    return `${String(bc ? Math.min(year, 4712) : year).padStart(4, '0')}-${two(month)}-${two(day)} ${time}${bc ? ' BC' : ''}`
  })

const TYPES: readonly KeyType[] = [
  { type: 'bigint', values: bigints },
  { type: 'smallint', values: fc.integer({ min: -32768, max: 32767 }).map(String) },
  {
    type: 'numeric',
    values: fc.oneof(
      fc.tuple(digits(30), fc.integer({ min: 0, max: 999_999 })).map(([a, b]) => `${a}.${b}`),
      fc.constantFrom('NaN', '-1e-40', '1e60'),
    ),
  },
  { type: 'numeric(12,3)', values: fc.integer({ min: -1e9, max: 1e9 }).map((n) => String(n / 1000)) },
  { type: 'double precision', values: fc.oneof(fc.double({ noNaN: true }).map(String), fc.constantFrom('NaN')) },
  { type: 'uuid', values: fc.uuid() },
  { type: 'text', values: texts },
  { type: 'text COLLATE "en-x-icu"', values: texts },
  { type: 'varchar(9) COLLATE "C"', values: texts },
  {
    type: 'text COLLATE loose',
    values: texts,
    before: `CREATE COLLATION IF NOT EXISTS loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
  },
  { type: 'char(6)', values: texts },
  { type: 'citext', values: texts, before: 'CREATE EXTENSION IF NOT EXISTS citext' },
  {
    type: 'timestamptz',
    values: fc.oneof(instants, fc.constantFrom('infinity', '-infinity')),
    session: `SET DateStyle = 'German, DMY'; SET TimeZone = 'Europe/Amsterdam'`,
  },
  { type: 'timestamp(6)', values: instants, session: `SET DateStyle = 'SQL, MDY'` },
  { type: 'date', values: instants, session: `SET DateStyle = 'Postgres, DMY'` },
  { type: 'time', values: instants.map((text) => text.slice(11, 26)) },
  {
    type: 'bytea',
    values: fc.uint8Array({ maxLength: 6 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
    session: 'SET bytea_output = escape',
  },
  {
    type: 'mood',
    values: fc.constantFrom('sad', 'ok', 'Happy "x"', 'a,b'),
    before: `DO $$ BEGIN CREATE TYPE mood AS ENUM ('sad', 'Happy "x"', 'a,b', 'ok'); EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
  },
  {
    type: 'code',
    values: texts.map((text) => text.slice(0, 4)),
    before: `DO $$ BEGIN CREATE DOMAIN code AS varchar(4) COLLATE "C"; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
  },
  { type: 'int[]', values: fc.array(fc.integer(), { maxLength: 3 }).map((numbers) => `{${numbers.join(',')}}`) },
  { type: 'inet', values: fc.ipV4() },
  { type: 'boolean', values: fc.constantFrom('t', 'f') },
  { type: 'bit(5)', values: fc.integer({ min: 0, max: 31 }).map((n) => n.toString(2).padStart(5, '0')) },
  {
    type: 'jsonb',
    values: fc
      .json({ maxDepth: 1, noUnicodeString: true })
      .filter((text) => !text.includes('\\u0000') && !/e-?\d{3}/i.test(text)),
  },
]

/** Walks in batches of the sizes, one after the other, and in slices of other sizes. */
function walk(query: Query, plan: WalkPlan, sizes: readonly number[]): Promise<string[][]> {
  return walkWhole(query, plan, sizes, async (slice) => {
    const { sql, values } = slice.predicate({ alias: 't', firstParameter: 2 })
    const { rows } = await query<{ row: string }>(
      `SELECT t.row_number::text AS row FROM ${plan.tableSql} AS t WHERE $1::int = 1 AND ${sql} ORDER BY t.row_number`,
      [1, ...values],
    )
    return rows.map((row) => row.row)
  })
}

async function checkOrder(postgres: PostgresContext, { type, values, before, session }: KeyType): Promise<void> {
  if (before !== undefined) await postgres.pool.query(before)
  await postgres.pool.query(`DROP TABLE IF EXISTS k; CREATE TABLE k (row_number int, "Key" ${type} NOT NULL UNIQUE)`)
  const database = fromPg(postgres.pool)
  await fc.assert(
    fc.asyncProperty(
      fc.array(values, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
      async (keys, sizes) => {
        await database.transaction(async (tx) => {
          await tx.query('TRUNCATE k')
          await tx.query(
            `INSERT INTO k SELECT 0, value::text::${type.replace(/ COLLATE.*/, '')} FROM unnest($1::text[]) AS value ON CONFLICT DO NOTHING`,
            [keys],
          )
          await tx.query(
            'UPDATE k SET row_number = ordered.n FROM (SELECT "Key", row_number() OVER (ORDER BY "Key") AS n FROM k) AS ordered WHERE ordered."Key" = k."Key"',
          )
          for (const setting of (session ?? '').split('; ').filter(Boolean))
            await tx.query(setting.replace('SET ', 'SET LOCAL '))
          const query: Query = (text, parameters) => database.query(tx, text, parameters)
          const plan = planWalk(await describeTable({ query, dialect: 'postgres' }, 'k'))
          const { rows } = await query<{ n: number }>('SELECT count(*)::int AS n FROM k')
          const walked = (await walk(query, plan, sizes)).flat()
          // Every row once, in the database's own order.
          expect(walked).toEqual(Array.from({ length: rows[0]?.n ?? 0 }, (_, index) => String(index + 1)))
        })
      },
    ),
    { numRuns: postgres.version === 18 ? 15 : 3 },
  )
}

describePostgres('keyset', (postgres) => {
  it.each(TYPES.map((each) => [each.type, each] as const))(
    'walks keys of type %s exactly and in order',
    async (_, type) => {
      await checkOrder(postgres, type)
    },
  )

  it('walks tuples of mixed types by row comparison', async () => {
    await postgres.pool.query(`
      CREATE TABLE tuples (row_number int, a timestamptz, b text COLLATE "en-x-icu", c numeric, PRIMARY KEY (b, a, c));
      INSERT INTO tuples
      SELECT 0, '2020-01-01'::timestamptz + (n % 3) * interval '1 microsecond', chr(97 + n % 2) || chr(65 + n % 5), 9007199254740993 + n / 30
      FROM generate_series(1, 200) AS n;
      UPDATE tuples SET row_number = ordered.n
      FROM (SELECT a, b, c, row_number() OVER (ORDER BY b, a, c) AS n FROM tuples) AS ordered
      WHERE (ordered.a, ordered.b, ordered.c) = (tuples.a, tuples.b, tuples.c)`)
    const database = fromPg(postgres.pool)
    await database.transaction(async (tx) => {
      const query: Query = (text, parameters) => database.query(tx, text, parameters)
      const plan = planWalk(await describeTable({ query, dialect: 'postgres' }, 'tuples'), ['a', 'b', 'c'])
      const walked = (await walk(query, plan, [1, 17, 4])).flat()
      expect(walked).toEqual(Array.from({ length: 200 }, (_, index) => String(index + 1)))
    })
  })

  it('finds a batch’s end and changes its rows by index ranges alone', async () => {
    await postgres.pool.query(
      `
      CREATE TABLE big (a int, b int, x int, PRIMARY KEY (a, b));
      INSERT INTO big SELECT n / 100, n % 100 FROM generate_series(1, 50000) AS n;
      VACUUM ANALYZE big`.replace(/VACUUM ANALYZE big/, ''),
    )
    await postgres.pool.query('VACUUM ANALYZE big')
    const database = fromPg(postgres.pool)
    await database.transaction(async (tx) => {
      const plans: string[] = []
      const query: Query = async (text, parameters) => {
        if (text.includes('LIMIT')) {
          const explained = await tx.query(`EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) ${text}`, [...(parameters ?? [])])
          plans.push(JSON.stringify(explained.rows))
        }
        return database.query(tx, text, parameters)
      }
      const plan = planWalk(await describeTable({ query, dialect: 'postgres' }, 'big'))
      const bounds = await walkBounds(query, plan)
      if (bounds === null) throw new Error('empty')
      const range = await nextRange(query, plan, { ...bounds, lower: ['250', '5'] }, 1000)
      expect(range).toMatchObject({ upper: ['260', '5'], rows: 1000, last: false })
      expect(await nextRange(query, plan, { ...bounds, lower: ['499', '5'] }, 1000)).toMatchObject({
        upper: ['500', '0'],
        rows: 95,
        last: true,
      })
      // What is read for each row that is passed over is its key: the rest is asked once, behind the scan.
      for (const each of plans) expect(outputsOfScans(each)).not.toMatch(/row_security_active/)
      // The bounds of slices are put in order once more, all three of them.
      const sliced = await nextRange(query, plan, { ...bounds, lower: ['250', '5'] }, 1000, 400)
      expect(sliced?.slices.map(({ upper, rows }) => [upper, rows])).toEqual([
        [['254', '5'], 400],
        [['258', '5'], 400],
        [['260', '5'], 200],
      ])
      expect(plans.pop()).toMatch(/Sort[\s\S]*Limit[\s\S]*WindowAgg[\s\S]*Index Only Scan/)
      for (const explained of plans) {
        expect(explained).toContain('Index Only Scan')
        expect(explained).not.toMatch(/Seq Scan|"Sort"|Rows Removed by Filter/)
      }
    })
  })
})

/** What the scans of the table itself hand on, as `EXPLAIN (VERBOSE, FORMAT JSON)` tells it. */
function outputsOfScans(explained: string): string {
  const outputs: unknown[] = []
  JSON.parse(explained, (_, node: Record<string, unknown> | null) => {
    if (node?.['Relation Name'] === 'big') outputs.push(node.Output)
    return node
  })
  expect(outputs).not.toEqual([])
  return JSON.stringify(outputs)
}
