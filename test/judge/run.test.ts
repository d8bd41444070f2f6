import { expect, it } from 'vitest'
import { backfill, rowBackfill, deleteRows } from 'evenkeel'
import { describeDatabases } from '../support/databases.js'
import { attempt, go, N } from './h.js'

describeDatabases('judge run', (context) => {
  const pg = context.dialect === 'postgres'
  const runs: Record<string, any> = {
    fn: async ({ sql, range }: any) => { await sql(`UPDATE t SET x = id WHERE ${range.sql}`) },
    arrow: ({ sql, range }: any) => sql(`UPDATE t SET x = id WHERE ${range.sql}`),
    tag: async ({ sql, range }: any) => { await sql`UPDATE t SET x = id WHERE ${range.sql}` },
    tagValue: async ({ sql, range }: any) => { await sql`UPDATE t SET x = id + ${0} WHERE ${range.sql}` },
    fnRangeValues: async ({ sql, range }: any) => { await sql(`UPDATE t SET x = id WHERE ${range.sql}`, range.values) },
    fnOwnValue: async ({ sql, range }: any) => { await sql(`UPDATE t SET x = id + $1 WHERE ${range.sql}`, [0]) },
    txPlain: async ({ tx, range }: any) => { if (pg) await tx.query(`UPDATE t SET x = id WHERE ${range.sql}`); else tx.prepare(`UPDATE t SET x = id WHERE ${range.sql}`).run() },
    txValues: async ({ tx, range }: any) => { if (pg) await tx.query(`UPDATE t SET x = id WHERE ${range.sql}`, range.values); else tx.prepare(`UPDATE t SET x = id WHERE ${range.sql}`).run(...(range.values ?? [])) },
    txOwn: async ({ tx, range }: any) => { if (pg) await tx.query(`UPDATE t SET x = id + $1::int WHERE ${range.sql}`, [0]); else tx.prepare(`UPDATE t SET x = id + ? WHERE ${range.sql}`).run(0) },
    txArrow: ({ tx, range }: any) => (pg ? tx.query(`UPDATE t SET x = id WHERE ${range.sql}`) : tx.prepare(`UPDATE t SET x = id WHERE ${range.sql}`).run()),
    exec: async ({ tx, range }: any) => { if (!pg) tx.exec(`UPDATE t SET x = id WHERE ${range.sql}`); else await tx.query(`UPDATE t SET x = id WHERE ${range.sql}`) },
    returnsSql: ({ range }: any) => `UPDATE t SET x = id WHERE ${range.sql}`,
  }
  for (const [name, run] of Object.entries(runs)) it(`run ${name}`, async () => {
    const db = await context.fresh()
    await db.query('CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)')
    await db.query(`INSERT INTO t (id) ${N(250)} SELECT i FROM n`)
    let history: any
    const result = await attempt(async () => { const u = await go(db, [backfill({ name: 'b', table: 't', run } as any)]); history = await u.history() })
    const { rows } = await db.query<any>('SELECT count(*) AS n FROM t WHERE x = id')
    console.log(context.dialect, name, Number(rows[0].n), result, JSON.stringify(history?.[0]?.progress?.changed))
  })

  const types: Record<string, [string, string, string]> = pg ? {
    bigint: ['bigint', `9007199254740992 + i`, ''], numeric: ['numeric', `i / 7.0 + 12345678901234567890.123456789`, ''],
    uuid: ['uuid', `md5(i::text)::uuid`, ''], tstz: ['timestamptz', `'2020-01-01'::timestamptz + i * interval '1 microsecond'`, ''],
    text: ['text', `'k''\\' || chr(32 + i % 90) || i`, ''], textc: ['text COLLATE "en-x-icu"', `'k-' || i || ' A' || md5(i::text)`, ''], bytea: ['bytea', `sha256(i::text::bytea)`, ''],
    float8: ['float8', `i / 3.0`, ''], date: ['date', `'2020-01-01'::date + i`, ''], ts: ['timestamp', `'2020-01-01'::timestamp + i * interval '1 microsecond'`, ''],
    interval: ['interval', `i * interval '1 microsecond'`, ''], inet: ['inet', `'10.0.0.0'::inet + i`, ''], varchar: ['varchar(30)', `'x' || i`, ''], char: ['char(12)', `'x' || i`, ''], bool2: ['smallint', 'i', ''],
  } : {
    bigint: ['INTEGER', '9007199254740992 + i', ''], text: ['TEXT NOT NULL', `'k''' || i || char(0) || i`, ''], blob: ['BLOB NOT NULL', `CAST('b' || i AS BLOB)`, ''],
    real: ['REAL NOT NULL', `i / 3.0 + 0.1`, ''], without: ['TEXT', `'k' || i`, 'WITHOUT ROWID'], numericd: ['NUMERIC NOT NULL', 'i * 1.5', ''], nocase: ['TEXT COLLATE NOCASE NOT NULL', `'K' || i`, ''],
    huge: ['INTEGER', '-9223372036854775807 - 1 + i - 1', ''], mixed: ['ANY NOT NULL', `CASE i % 4 WHEN 0 THEN i WHEN 1 THEN i + 0.25 WHEN 2 THEN 't' || i ELSE CAST('b' || i AS BLOB) END`, ''],
    norm: ['TEXT NOT NULL', `'x' || char(128512) || i`, ''],
  }
  for (const [name, [type, expression, suffix]] of Object.entries(types)) for (const mode of ['set', 'run', 'row', 'delete']) it(`key ${name} ${mode}`, async () => {
    const db = await context.fresh()
    await db.query(`CREATE TABLE t (id ${type} PRIMARY KEY, x INTEGER DEFAULT 0) ${suffix}`)
    await db.query(`INSERT INTO t (id) ${N(333)} SELECT ${expression} FROM n`)
    const u = mode === 'set' ? backfill({ name: 'b', table: 't', set: { x: 'x + 1' } })
      : mode === 'run' ? backfill({ name: 'b', table: 't', run: async ({ tx, range }: any) => { const s = `UPDATE t SET x = x + 1 WHERE ${range.sql}`; if (pg) await tx.query(s, range.values); else tx.exec(s) } } as any)
      : mode === 'row' ? rowBackfill({ name: 'b', table: 't', columns: ['id', 'x'], map: (r: any) => ({ x: Number(r.x) + 1 }) } as any)
      : deleteRows({ name: 'b', table: 't', where: 'x = 0' })
    const result = await attempt(() => go(db, [u], { defaultBatchSize: 50, maxBatchSize: 50 }))
    const { rows } = await db.query<any>('SELECT count(*) AS n, min(x) AS a, max(x) AS b FROM t')
    const ok = mode === 'delete' ? Number(rows[0].n) === 0 : Number(rows[0].a) === 1 && Number(rows[0].b) === 1
    if (!ok || !result.startsWith('OK')) console.log('BAD', context.dialect, name, mode, JSON.stringify(rows), result)
    expect(ok).toBe(true)
  })
})
