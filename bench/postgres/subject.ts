import type { Database } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import type { UpdaterTable } from '../contestants/by-updater.js'
import { untilQuiet, type BenchPostgres } from './bench-postgres.js'

/** The table that is backfilled. */
export interface SubjectShape {
  readonly rows: number
  readonly key: 'bigint' | 'uuid'
  /** How many secondary indexes; one of three holds the column that is changed, so that no update is HOT. */
  readonly indexes: 0 | 3
}

/** The table as contestants get it. */
export interface PostgresSubject extends UpdaterTable {
  readonly shape: SubjectShape
  readonly postgres: BenchPostgres
}

export const SUBJECT = 'bench_rows'

/** What is computed for every row; a second pass changes it again. */
export const SET_TOTAL = { total: 'COALESCE(total, 0) + amount' }

const INDEXES = ['account', 'label', 'total']

/**
 * Makes the table anew, the same for every contestant: copied from one template in the same order, indexed, vacuumed,
 * analysed, and with nothing left to checkpoint.
 */
export async function freshSubject(postgres: BenchPostgres, shape: SubjectShape): Promise<PostgresSubject> {
  const { admin } = postgres
  const template = await ensureTemplate(postgres, shape)
  await admin.query(`DROP TABLE IF EXISTS ${SUBJECT}`)
  await admin.query(`CREATE TABLE ${SUBJECT} AS TABLE ${template}`)
  await admin.query(`ALTER TABLE ${SUBJECT} ADD PRIMARY KEY (id)`)
  for (const column of INDEXES.slice(0, shape.indexes)) await admin.query(`CREATE INDEX ON ${SUBJECT} (${column})`)
  await admin.query(`VACUUM (ANALYZE) ${SUBJECT}`)
  await untilQuiet(postgres)
  await admin.query('CHECKPOINT')
  return {
    shape,
    postgres,
    name: SUBJECT,
    set: SET_TOTAL,
    open() {
      const pool = postgres.openPool()
      return { database: fromPg(pool) as unknown as Database<never>, close: () => pool.end() }
    },
  }
}

/** Rows that the contestant left out; 0 when it did what it was to do. */
export async function rowsLeft({ postgres }: PostgresSubject): Promise<number> {
  const { rows } = await postgres.admin.query<{ left: number }>(
    `SELECT count(*)::int AS left FROM ${SUBJECT} WHERE total IS DISTINCT FROM amount`,
  )
  return rows[0]?.left ?? Number.NaN
}

// A uuid by MD5 lies anywhere in the key's range, so the heap is in another order than the key, as with random uuids.
async function ensureTemplate({ admin }: BenchPostgres, { key, rows }: SubjectShape): Promise<string> {
  const name = `bench_template_${key}_${rows}`
  const id = key === 'bigint' ? 'n' : 'md5(n::text)::uuid'
  await admin.query(`
    CREATE TABLE IF NOT EXISTS ${name} AS
    SELECT
      ${id} AS id,
      (n % 50000)::int AS account,
      'row number ' || n AS label,
      (n % 1000)::int AS amount,
      0 AS touched,
      NULL::bigint AS total
    FROM generate_series(1, ${rows}::bigint) AS n`)
  return name
}
