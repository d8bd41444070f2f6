import { fromPg } from 'evenkeel/pg'
import type { Database } from 'evenkeel'
import { expect, it } from 'vitest'
import { rowBackfill } from '../../src/updates/row-backfill.js'
import { describePostgres } from '../support/postgres.js'
import { queued, runAll } from '../support/walks.js'

// Column type → a value as SQL, written and read back by the driver's own values.
const VALUES: readonly (readonly [type: string, sql: string])[] = [
  ['bigint', '9007199254740993'],
  ['numeric', `'123456789012345678901234567890.123456789'`],
  ['numeric', `'NaN'`],
  ['double precision', `'-0'`],
  ['double precision', `'Infinity'`],
  ['real', '0.1'],
  ['boolean', 'false'],
  ['text', `E'a\\\\b"c{},''NULL'`],
  ['text', `''`],
  ['char(4)', `'ab'`],
  ['bytea', `'\\x00ff5c22'`],
  ['bytea', `''`],
  ['json', `'{"a":[1,null,"x"]}'`],
  ['jsonb', `'[1, {"b": "\\"quoted\\""}]'`],
  ['jsonb', `'true'`],
  ['int[]', `'{1,NULL,3}'`],
  ['int[]', `'{}'`],
  ['text[]', `ARRAY['a,b', '"', '\\', NULL, 'NULL', '']`],
  ['text[]', `ARRAY[['a', 'b'], ['c', NULL]]`],
  ['numeric[]', `'{1.5,2}'`],
  ['jsonb[]', `ARRAY['{"a": [1]}'::jsonb]`],
  ['bytea[]', `ARRAY['\\x00'::bytea, '\\x5c'::bytea]`],
  ['timestamptz', `'2024-03-31 01:59:59.123+00'`],
  ['timestamp', `'2024-03-31 02:30:00.5'`],
  ['timestamp', `'0044-03-15 12:00:00 BC'`],
  ['date', `'1969-12-31'`],
  ['timestamptz', `'infinity'`],
  ['interval', `'1 year 2 days 03:04:05.678'`],
  ['uuid', `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`],
  ['inet', `'10.0.0.1/8'`],
  ['mood', `'a,"b'`],
  ['short', `'abc'`],
  ['int4range', `'[1,5)'`],
]

describePostgres('rowBackfill', (postgres) => {
  it('writes what was read back exactly, for every type', async () => {
    const { pool } = await postgres.freshDatabase()
    await pool.query(`CREATE TYPE mood AS ENUM ('ok', 'a,"b'); CREATE DOMAIN short AS varchar(3) CHECK (value <> 'no')`)
    const columns = VALUES.map(([type], index) => `from_${index} ${type}, to_${index} ${type}`)
    await pool.query(`CREATE TABLE types (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), ${columns.join(', ')})`)
    const names = VALUES.map((_, index) => `from_${index}`)
    await pool.query(
      `INSERT INTO types (${names.join(', ')}) SELECT ${VALUES.map(([type, sql]) => `${sql}::${type}`).join(', ')} FROM generate_series(1, 5)`,
    )
    await pool.query('INSERT INTO types DEFAULT VALUES')
    const update = rowBackfill({
      name: 'copy',
      table: 'types',
      columns: names,
      map: (row) => Object.fromEntries(names.map((name) => [name.replace('from', 'to'), row[name]])),
    })
    await runAll(await queued({ database: fromPg(pool) as unknown as Database<never> }, update, [4]))
    const { rows } = await pool.query<Record<string, string>>(
      `SELECT ${VALUES.map((_, i) => `CASE WHEN from_${i}::text IS NOT DISTINCT FROM to_${i}::text THEN 'same' ELSE concat(from_${i}::text, ' → ', to_${i}::text) END AS "${i} ${VALUES[i]?.[0]}"`).join(', ')} FROM types`,
    )
    expect(rows).toHaveLength(6)
    for (const row of rows) expect(row).toEqual(Object.fromEntries(Object.keys(row).map((name) => [name, 'same'])))
  })

  it('writes NULL where the session takes NULL in an array for a text', async () => {
    const fresh = await postgres.freshDatabase()
    await fresh.pool.query(
      `CREATE TABLE t (id int PRIMARY KEY, x text, y text[], z int[]); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 4) AS g`,
    )
    const update = rowBackfill<{ id: number }>({
      name: 'nulls',
      table: 't',
      columns: ['id'],
      map: ({ id }) => ({ x: id % 2 === 0 ? null : 'NULL', y: ['a', null, 'NULL'], z: [1, null] }),
    })
    const pool = fresh.openPool({ options: '-c array_nulls=off' })
    await runAll(await queued({ database: fromPg(pool) as unknown as Database<never> }, update, [3]))
    expect((await fresh.pool.query(`SELECT x, y, z FROM t ORDER BY id`)).rows).toEqual(
      ['NULL', null, 'NULL', null].map((x) => ({ x, y: ['a', null, 'NULL'], z: [1, null] })),
    )
    // The session is as it was.
    expect((await pool.query('SHOW array_nulls')).rows).toEqual([{ array_nulls: 'off' }])
  })

  it('refuses what is too long instead of cutting it', async () => {
    const { pool } = await postgres.freshDatabase()
    await pool.query('CREATE TABLE t (id int PRIMARY KEY, x varchar(3)); INSERT INTO t SELECT generate_series(1, 9)')
    const update = rowBackfill<{ id: number }>({
      name: 'long',
      table: 't',
      columns: ['id'],
      maxQuarantined: 1,
      map: (row) => ({ x: row.id === 4 ? 'long' : 'abc' }),
    })
    await runAll(await queued({ database: fromPg(pool) as unknown as Database<never> }, update, [9]))
    expect((await pool.query(`SELECT id FROM t WHERE x IS NULL`)).rows).toEqual([{ id: 4 }])
    expect((await pool.query('SELECT key_json, error FROM background_update_quarantine')).rows).toEqual([
      { key_json: '["4"]', error: 'value too long for type character varying(3)' },
    ])
  })

  it('holds off whoever would change a row between reading and writing it', async () => {
    const fresh = await postgres.freshDatabase()
    await fresh.pool.query('CREATE TABLE t (id int PRIMARY KEY, x int NOT NULL, y int); INSERT INTO t VALUES (1, 1)')
    const other = await fresh.openClient()
    let change: Promise<unknown> = Promise.resolve()
    const update = rowBackfill<{ x: number }>({
      name: 'double',
      table: 't',
      columns: ['x'],
      async map(row) {
        const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
        change = other.query('UPDATE t SET x = x + 10')
        // Until the other connection waits for our lock.
        for (;;) {
          const waiting = await fresh.pool.query(
            'SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = $2',
            [rows[0]?.pid, 'Lock'],
          )
          if (waiting.rows.length > 0) break
        }
        return { y: row.x, x: row.x * 2 }
      },
    })
    await runAll(await queued({ database: fromPg(fresh.pool) as unknown as Database<never> }, update, [9]))
    await change
    expect((await fresh.pool.query('SELECT x, y FROM t')).rows).toEqual([{ x: 12, y: 1 }])
  })

  it('lets others refer to a row that it has read', async () => {
    const fresh = await postgres.freshDatabase()
    await fresh.pool.query(`
      CREATE TABLE t (id int PRIMARY KEY, x int);
      CREATE TABLE child (t_id int REFERENCES t);
      INSERT INTO t VALUES (1)`)
    const other = await fresh.openClient()
    // Only so that the test ends when it has to wait for us.
    await other.query("SET lock_timeout = '2s'")
    const update = rowBackfill<{ id: number }>({
      name: 'fill',
      table: 't',
      columns: ['id'],
      async map() {
        await other.query('INSERT INTO child VALUES (1)')
        return { x: 1 }
      },
    })
    await runAll(await queued({ database: fromPg(fresh.pool) as unknown as Database<never> }, update, [9]))
    expect((await fresh.pool.query('SELECT t_id, x FROM t JOIN child ON t_id = id')).rows).toEqual([{ t_id: 1, x: 1 }])
  })
})
