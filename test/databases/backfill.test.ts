import { expect, it } from 'vitest'
import fc from 'fast-check'
import { backfill, VerificationError } from '../../src/updates/backfill.js'
import { describeDatabases, type EitherContext, type EitherDatabase } from '../support/databases.js'
import { queued, runAll, updaterOf } from '../support/walks.js'

async function execute(db: EitherDatabase, ...statements: readonly string[]): Promise<void> {
  for (const statement of statements) await db.query(statement)
}

/** Counts in `changes` how often each row of `table` was changed. */
async function countChanges(context: EitherContext, db: EitherDatabase, table: string, key: string): Promise<void> {
  await execute(db, 'CREATE TABLE changes (row_key TEXT)')
  if (context.dialect === 'sqlite') {
    await execute(
      db,
      `CREATE TRIGGER counting AFTER UPDATE ON ${table} BEGIN INSERT INTO changes VALUES (new.${key}); END`,
    )
  } else {
    await execute(
      db,
      `CREATE FUNCTION counting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO changes VALUES (new.${key}); RETURN NULL; END $$`,
      `CREATE TRIGGER counting AFTER UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION counting()`,
    )
  }
}

async function number(db: EitherDatabase, text: string): Promise<number> {
  return Number((await db.query<{ n: unknown }>(text)).rows[0]?.n)
}

const NUMBERS = (rows: number) => `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})`

describeDatabases('backfill', (context) => {
  it('changes every row that fulfils `where` once, with hostile names and sparse keys', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE "Order ""x""" ("Select" INTEGER PRIMARY KEY, name TEXT, "group" TEXT, "Größe" INTEGER)',
      `INSERT INTO "Order ""x""" ("Select", name) ${NUMBERS(10_000)} SELECT i * i - 7, CASE i % 10 WHEN 0 THEN 'skip' WHEN 1 THEN NULL ELSE 'n' END FROM n`,
    )
    await countChanges(context, db, '"Order ""x"""', '"Select"')
    const update = backfill({
      name: 'upper',
      table: 'Order "x"',
      set: { group: 'upper(name) -- so that it is', Größe: '"Select" + 1' },
      where: `name <> 'skip' OR name IS NULL -- all but`,
    })
    const updater = await queued(db, update, [1, 777, 40, 3_000])
    await runAll(updater)
    expect(
      await number(
        db,
        `SELECT count(*) AS n FROM "Order ""x""" WHERE (name = 'n' AND "group" = 'N' OR name IS NULL AND "group" IS NULL) AND "Größe" = "Select" + 1`,
      ),
    ).toBe(9_000)
    expect(
      await number(db, `SELECT count(*) AS n FROM "Order ""x""" WHERE name = 'skip' AND "Größe" IS NOT NULL`),
    ).toBe(0)
    expect(await number(db, 'SELECT count(*) AS n FROM changes')).toBe(9_000)
    expect(await number(db, 'SELECT count(DISTINCT row_key) AS n FROM changes')).toBe(9_000)
    const [entry] = await updater.history()
    expect(entry).toMatchObject({ items: 10_000, progress: { walked: 10_000, changed: 9_000 } })
  })

  it('finishes at once on an empty table, and with one row', async () => {
    const db = await context.fresh()
    await execute(db, 'CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)')
    const update = backfill({ name: 'fill', table: 't', set: { x: '1' } })
    const updater = await queued(db, update)
    expect(await runAll(updater)).toBe(1)
    await execute(db, 'INSERT INTO t (id) VALUES (5)')
    await updater.enqueue('fill')
    expect(await runAll(updater)).toBe(1)
    expect(await number(db, 'SELECT x AS n FROM t')).toBe(1)
  })

  it('changes every row once whatever the sizes, restarts, inserts and deletes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
        fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.constantFrom('a', 'B', 'c', 'ä', '')), {
          maxLength: 30,
          selector: String,
        }),
        fc.array(
          fc.record({ delete: fc.boolean(), a: fc.integer({ min: 0, max: 7 }), b: fc.constantFrom('b', 'D', 'ö') }),
          { maxLength: 12 },
        ),
        async (sizes, rows, disturbances) => {
          const db = await context.fresh()
          await execute(
            db,
            'CREATE TABLE pairs (a INTEGER NOT NULL, b TEXT NOT NULL, x INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (b, a))',
          )
          for (const row of rows) await db.query('INSERT INTO pairs (a, b) VALUES ($1, $2)', row)
          const update = backfill({ name: 'add', table: 'pairs', set: { x: 'x + 1' } })
          let updater = await queued(db, update, sizes)
          const waiting = [...disturbances]
          await runAll(
            {
              // A new updater for every batch: a restart from any of them.
              runNextBatch: async () => {
                const result = await updater.runNextBatch()
                updater = updaterOf(db.database, update, sizes.slice(1).concat(sizes.slice(0, 1)))
                return result
              },
              status: () => updater.status(),
            } as typeof updater,
            async () => {
              const next = waiting.shift()
              if (next?.delete) await db.query('DELETE FROM pairs WHERE a = $1', [next.a])
              else if (next)
                await db.query('INSERT INTO pairs (a, b, x) VALUES ($1, $2, 100) ON CONFLICT DO NOTHING', [
                  next.a,
                  next.b,
                ])
            },
          )
          // Rows that were added later may be changed or not; those of the beginning that still exist exactly once.
          expect(await number(db, 'SELECT count(*) AS n FROM pairs WHERE x NOT IN (1, 100, 101)')).toBe(0)
        },
      ),
      { numRuns: context.dialect === 'sqlite' ? 25 : 3 },
    )
  })

  it('goes to the end that was fixed at the start, even when that row is gone', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)',
      `INSERT INTO t (id) ${NUMBERS(20)} SELECT i FROM n`,
    )
    const updater = await queued(db, backfill({ name: 'fill', table: 't', set: { x: '1' } }), [6])
    await runAll(updater, async (batch) => {
      if (batch === 1) await execute(db, 'DELETE FROM t WHERE id >= 15', 'INSERT INTO t (id) VALUES (21), (22)')
    })
    expect(await number(db, 'SELECT count(*) AS n FROM t WHERE x = 1')).toBe(14)
    expect(await number(db, 'SELECT count(*) AS n FROM t WHERE x IS NULL')).toBe(2)
  })

  it('follows added rows when told to', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)',
      `INSERT INTO t (id) ${NUMBERS(12)} SELECT i FROM n`,
    )
    const updater = await queued(db, backfill({ name: 'fill', table: 't', set: { x: '1' }, follow: true }), [6])
    await runAll(updater, async (batch) => {
      if (batch <= 2) await execute(db, `INSERT INTO t (id) VALUES (${20 + batch}), (${30 + batch})`)
    })
    expect(await number(db, 'SELECT count(*) AS n FROM t WHERE x IS NULL')).toBe(0)
    expect(await number(db, 'SELECT count(*) AS n FROM t')).toBe(16)
  })

  it('runs a statement of the user over each range, with values of its own', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER, skip INTEGER DEFAULT 0)',
      'CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT)',
      'CREATE TABLE log (rows_seen INTEGER)',
      `INSERT INTO t (id) ${NUMBERS(20)} SELECT i FROM n`,
      'UPDATE t SET skip = 1 WHERE id IN (3, 4)',
      `INSERT INTO names ${NUMBERS(10)} SELECT i, 'n' FROM n`,
    )
    const update = backfill({
      name: 'fill',
      table: 't',
      where: 'skip = 0',
      async run({ sql, range }) {
        await sql(`UPDATE t SET x = id WHERE ${range.sql}`)
        await sql(`UPDATE t SET x = x + $1 WHERE ${range.sql}`, [1000])
        const { rows } = await sql(`SELECT names.id FROM names JOIN t ON t.id = names.id WHERE ${range.qualified('t')}`)
        await sql('INSERT INTO log VALUES ($1)', [rows.length])
        return range.rows
      },
    })
    const updater = await queued(db, update, [7])
    await runAll(updater)
    expect(await number(db, 'SELECT count(*) AS n FROM t WHERE x = id + 1000')).toBe(18)
    expect(await number(db, 'SELECT sum(rows_seen) AS n FROM log')).toBe(8)
    expect((await updater.history())[0]?.progress).toMatchObject({ walked: 20, changed: 20 })
  })

  it('finds and repairs what was written behind the cursor', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, low TEXT)',
      `INSERT INTO t (id, name) ${NUMBERS(20)} SELECT i, 'N' FROM n`,
    )
    const update = backfill({
      name: 'fill',
      table: 't',
      set: { low: 'lower(name)' },
      where: 'low IS NULL',
      verify: 'low IS NULL OR low <> lower(name)',
    })
    const updater = await queued(db, update, [6])
    await runAll(updater, async (batch) => {
      if (batch === 2)
        await execute(
          db,
          `UPDATE t SET name = 'CHANGED' WHERE id = 2`,
          `INSERT INTO t (id, name) VALUES (0, 'Added'), (99, 'Added')`,
        )
    })
    expect(await number(db, `SELECT count(*) AS n FROM t WHERE low = lower(name)`)).toBe(22)
    expect((await updater.history())[0]?.progress).toMatchObject({
      walked: 20,
      verification: { pass: 2, repaired: 3, left: 0 },
    })
  })

  it('fails with the count and a sample of keys when rows stay wrong, and looks again when they were mended', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)',
      `INSERT INTO t (id) ${NUMBERS(20)} SELECT i FROM n`,
    )
    const update = backfill({
      name: 'fill',
      table: 't',
      set: { x: 'CASE WHEN id % 4 = 0 THEN -1 ELSE 1 END' },
      verify: 'x < 0',
      maxVerifyPasses: 2,
    })
    const updater = await queued(db, update, [6])
    let failed = false
    await runAll(updater).catch(() => {
      failed = true
    })
    expect(failed).toBe(true)
    const status = await updater.status()
    const [row] = Object.values(status.databases)[0]?.updates ?? []
    expect(row?.state).toBe('failed')
    expect(row?.lastError).toMatch(/5 rows are still wrong after 2 passes of repair, for instance id = 4; id = 8/)
    await updater.retry('fill')
    await expect(updater.runToCompletion()).rejects.toThrow(/5 rows are still wrong/)
    await execute(db, 'UPDATE t SET x = 1 WHERE x < 0')
    await updater.retry('fill')
    await updater.runToCompletion()
    expect((await updater.history())[0]?.progress).toMatchObject({ verification: { left: 0 } })
    expect(new VerificationError('u', 1, 3, [['5']], 'id = 5')).toMatchObject({
      code: 'VERIFICATION_FAILED',
      permanent: true,
    })
  })

  it('tells a fraction that grows and never says 100 % before the end', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)',
      `INSERT INTO t (id) ${NUMBERS(100)} SELECT i FROM n`,
      context.dialect === 'sqlite' ? 'ANALYZE' : 'ANALYZE t',
    )
    const update = backfill({ name: 'fill', table: 't', set: { x: '1' }, verify: 'x IS NULL' })
    const updater = await queued(db, update, [10])
    const seen: number[] = []
    await runAll(updater, async () => {
      const [row] = Object.values((await updater.status()).databases)[0]?.updates ?? []
      seen.push(row?.fraction ?? -1)
    })
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen[0]).toBeCloseTo(0.07)
    expect(Math.max(...seen)).toBeLessThan(1)
  })

  it('starts from bounds that a migration has put into the row', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)',
      `INSERT INTO t (id) ${NUMBERS(20)} SELECT i FROM n`,
    )
    const update = backfill({ name: 'fill', table: 't', set: { x: '1' } })
    const updater = updaterOf(db.database, update)
    await updater.install()
    await execute(
      db,
      `INSERT INTO background_updates (update_name, progress_json) VALUES ('fill', '{"lower":[5],"end":[12]}')`,
    )
    await runAll(updater)
    expect(await number(db, 'SELECT count(*) AS n FROM t WHERE x = 1')).toBe(7)
    await execute(db, `INSERT INTO background_updates (update_name, progress_json) VALUES ('fill', '{"lower":[5,6]}')`)
    await expect(updater.runToCompletion()).rejects.toThrow(/progress\.lower/)
  })

  it.each([
    [{ table: 'tt' }, /did you mean "t"/],
    [{ set: { xx: '1' } }, /no column "xx"; did you mean "x"\?/],
    [{ set: { id: '1' } }, /"id" belongs to the key/],
    [{ set: { twice: '1' } }, /"twice" is generated/],
    [{ key: 'x' }, /key \(x\)/],
    [{ key: ['u'] }, /may hold NULL in u/],
    [{ key: 'part' }, /nothing proves that the key \(part\) is unique/],
    [{ key: 'nope' }, /no column "nope" for the key/],
    [{ table: 'seen' }, /is a view/],
  ])('refuses %o before the first batch', async (wrong, message) => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER, u INTEGER UNIQUE, part INTEGER NOT NULL, twice INTEGER GENERATED ALWAYS AS (x * 2) STORED)',
      'CREATE UNIQUE INDEX partial ON t (part) WHERE part > 0',
      'CREATE VIEW seen AS SELECT * FROM t',
      'INSERT INTO t (id, part) VALUES (1, 1)',
    )
    const updater = await queued(db, backfill({ name: 'fill', table: 't', set: { x: '1' }, ...wrong }))
    await expect(updater.runToCompletion()).rejects.toThrow(message)
    expect(await number(db, 'SELECT count(*) AS n FROM t WHERE x IS NOT NULL')).toBe(0)
  })
})
