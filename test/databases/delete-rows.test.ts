import { expect, it } from 'vitest'
import { deleteRows } from '../../src/updates/delete-rows.js'
import { describeDatabases, type EitherDatabase } from '../support/databases.js'
import { queued, runAll, updaterOf } from '../support/walks.js'

async function execute(db: EitherDatabase, ...statements: readonly string[]): Promise<void> {
  for (const statement of statements) await db.query(statement)
}

async function ids(db: EitherDatabase, table: string): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`)
  return rows.map((row) => row.id)
}

const NUMBERS = (rows: number) => `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})`

describeDatabases('deleteRows', (context) => {
  it('deletes the rows that fulfil the condition, and no other', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE "Table" (id INTEGER PRIMARY KEY, kind TEXT)',
      `INSERT INTO "Table" ${NUMBERS(100)} SELECT i, CASE i % 3 WHEN 0 THEN 'old' WHEN 1 THEN 'new' END FROM n`,
    )
    const updater = await queued(
      db,
      deleteRows({ name: 'purge', table: 'Table', where: `kind = 'old' -- only`, maxDeletes: 'unlimited' }),
      [1, 30, 7],
    )
    await runAll(updater)
    expect(await ids(db, '"Table"')).toEqual(Array.from({ length: 100 }, (_, i) => i + 1).filter((id) => id % 3 !== 0))
    expect((await updater.history())[0]).toMatchObject({ items: 100, progress: { walked: 100, changed: 33 } })
  })

  it('finishes at once on an empty table', async () => {
    const db = await context.fresh()
    await execute(db, 'CREATE TABLE t (id INTEGER PRIMARY KEY)')
    expect(
      await runAll(await queued(db, deleteRows({ name: 'purge', table: 't', where: '1 = 1', maxDeletes: 0 }))),
    ).toBe(1)
  })

  it('moves rows by column name, without generated columns, exactly as they were', async () => {
    const db = await context.fresh()
    const blob = context.dialect === 'postgres' ? `'\\x00ff'::bytea` : `x'00ff'`
    await execute(
      db,
      `CREATE TABLE t (id INTEGER PRIMARY KEY, big BIGINT, body ${context.dialect === 'postgres' ? 'bytea' : 'BLOB'}, ratio DOUBLE PRECISION, twice BIGINT GENERATED ALWAYS AS (id * 2) STORED, half BIGINT GENERATED ALWAYS AS (id / 2) STORED)`,
      `CREATE TABLE kept (moved TEXT DEFAULT 'yes', ratio DOUBLE PRECISION, body ${context.dialect === 'postgres' ? 'bytea' : 'BLOB'}, id INTEGER, half BIGINT, big BIGINT)`,
      `INSERT INTO t (id, big, body, ratio) ${NUMBERS(30)} SELECT i, 9007199254740993 + i, ${blob}, 0.1 FROM n`,
    )
    await runAll(await queued(db, deleteRows({ name: 'move', table: 't', where: 'id % 2 = 0', keepIn: 'kept' }), [4]))
    expect(await ids(db, 't')).toEqual(Array.from({ length: 15 }, (_, i) => i * 2 + 1))
    expect(
      await ids(
        db,
        `kept WHERE big = 9007199254740993 + id AND body = ${blob} AND ratio = 0.1 AND half = id / 2 AND moved = 'yes'`,
      ),
    ).toEqual(Array.from({ length: 15 }, (_, i) => i * 2 + 2))
  })

  it('deletes exactly what it kept, whatever the condition answers the second time', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (a INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (id, a))',
      'CREATE TABLE kept (a INTEGER, id INTEGER)',
      `INSERT INTO t ${NUMBERS(500)} SELECT 1, i FROM n`,
    )
    const half = context.dialect === 'postgres' ? 'random() < 0.5' : 'random() % 2 = 0'
    await runAll(await queued(db, deleteRows({ name: 'move', table: 't', where: half, keepIn: 'kept' }), [100]))
    const [left, kept] = [await ids(db, 't'), await ids(db, 'kept')]
    expect([...left, ...kept].sort((x, y) => x - y)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1))
    expect(left.length).toBeGreaterThan(100)
    expect(kept.length).toBeGreaterThan(100)
  })

  it('deletes nothing when a trigger keeps rows from being kept', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (id INTEGER PRIMARY KEY)',
      'CREATE TABLE kept (id INTEGER)',
      `INSERT INTO t ${NUMBERS(10)} SELECT i FROM n`,
    )
    if (context.dialect === 'sqlite') {
      await execute(db, `CREATE TRIGGER losing BEFORE INSERT ON kept WHEN new.id = 5 BEGIN SELECT RAISE(IGNORE); END`)
    } else {
      await execute(
        db,
        `CREATE FUNCTION losing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN new.id = 5 THEN NULL ELSE new END; END $$`,
        'CREATE TRIGGER losing BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION losing()',
      )
    }
    const updater = await queued(db, deleteRows({ name: 'move', table: 't', where: 'id > 3', keepIn: 'kept' }), [100])
    await expect(updater.runToCompletion()).rejects.toThrow(/7 rows were deleted and 6 kept/)
    expect(await ids(db, 't')).toHaveLength(10)
    expect(await ids(db, 'kept')).toEqual([])
  })

  it.each([
    ['deletes', undefined],
    ['moves', 'kept'],
  ])('%s no row over maxDeletes, keeps what was committed, and goes on when the limit is raised', async (_, keepIn) => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE t (id INTEGER PRIMARY KEY)',
      'CREATE TABLE kept (id INTEGER)',
      `INSERT INTO t ${NUMBERS(40)} SELECT i FROM n`,
    )
    const purge = (maxDeletes: number) =>
      deleteRows({
        name: 'purge',
        table: 't',
        where: 'id > 5',
        maxDeletes,
        ...(keepIn === undefined ? {} : { keepIn }),
      })
    const updater = await queued(db, purge(27), [10])
    const error = await updater.runToCompletion().catch((reason: unknown) => reason)
    expect(String(error)).toMatch(/25 rows are deleted, and the next batch would delete 10 more.*maxDeletes \(27\)/)
    expect(await ids(db, 't')).toEqual([...[1, 2, 3, 4, 5], ...Array.from({ length: 10 }, (_each, i) => 31 + i)])
    expect(await ids(db, 'kept')).toHaveLength(keepIn === undefined ? 0 : 25)
    await updater.stop()

    const raised = updaterOf(db.database, purge(35), [10])
    await raised.retry('purge')
    await raised.runToCompletion()
    expect(await ids(db, 't')).toEqual([1, 2, 3, 4, 5])
  })

  it('touches no row of a batch that would go over maxDeletes', async () => {
    const db = await context.fresh()
    await execute(db, 'CREATE TABLE t (id INTEGER PRIMARY KEY)', `INSERT INTO t ${NUMBERS(5)} SELECT i FROM n`)
    if (context.dialect === 'sqlite') {
      await execute(db, `CREATE TRIGGER touched BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'touched'); END`)
    } else {
      await execute(
        db,
        `CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'touched'; END $$`,
        'CREATE TRIGGER touched BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION touched()',
      )
    }
    const updater = await queued(db, deleteRows({ name: 'purge', table: 't', where: 'id > 1', maxDeletes: 3 }), [100])
    await expect(updater.runToCompletion()).rejects.toThrow(/would delete 4 more.*maxDeletes \(3\)/)
    expect(await ids(db, 't')).toHaveLength(5)
  })

  it.runIf(context.dialect === 'postgres')(
    'rolls a batch back that deleted more than maxDeletes, for rows came under the condition since they were counted',
    async () => {
      const db = await context.fresh()
      await execute(db, 'CREATE TABLE t (id INTEGER PRIMARY KEY)', `INSERT INTO t ${NUMBERS(5)} SELECT i FROM n`)
      // True in the statement that deletes, not in the one that counts.
      const late = `current_query() LIKE '%DELE' || 'TE FROM%'`
      const updater = await queued(db, deleteRows({ name: 'purge', table: 't', where: late, maxDeletes: 4 }), [100])
      await expect(updater.runToCompletion()).rejects.toThrow(/would delete 5 more.*maxDeletes \(4\)/)
      expect(await ids(db, 't')).toHaveLength(5)
    },
  )

  it('counts what all the statements of a batch deleted towards maxDeletes', async () => {
    const db = await context.fresh()
    await execute(db, 'CREATE TABLE t (id INTEGER PRIMARY KEY)', `INSERT INTO t ${NUMBERS(300)} SELECT i FROM n`)
    const purge = deleteRows({ name: 'purge', table: 't', where: 'id % 2 = 0', maxDeletes: 120 })
    // Three statements, of which each deletes 50 rows.
    const inStatements = { beforeBatch: () => ({ ms: 0, why: '', statements: { ms: 1, restMs: 0 } }) }
    const updater = updaterOf(db.database, purge, [300], inStatements)
    await updater.install()
    await updater.enqueue(purge)
    const ended = new Promise((resolve) => {
      updater.once('update:fail', ({ error }) => resolve(error.message))
      updater.once('update:complete', resolve)
    })
    await updater.start()
    expect(await ended).toMatch(/100 rows are deleted, and the next batch would delete 50 more.*maxDeletes \(120\)/)
    expect(await ids(db, 't')).toHaveLength(300)
  })

  it('lets exactly maxDeletes rows go', async () => {
    const db = await context.fresh()
    await execute(db, 'CREATE TABLE t (id INTEGER PRIMARY KEY)', `INSERT INTO t ${NUMBERS(20)} SELECT i FROM n`)
    await runAll(await queued(db, deleteRows({ name: 'purge', table: 't', where: 'id % 2 = 0', maxDeletes: 10 })))
    expect(await ids(db, 't')).toHaveLength(10)
  })

  it.each([
    ['kepd', /did you mean "kept"/],
    ['t', /the table that the rows are deleted from/],
    ['lacking', /it has no column "b"/],
    ['other', /"b" is of type/i],
    ['seen', /it is a view/],
    ['kept', /refers to itself with ON DELETE CASCADE/, ', parent INTEGER REFERENCES t ON DELETE CASCADE'],
  ])('refuses keepIn %s before the first batch', async (keepIn, message, more = '') => {
    const db = await context.fresh()
    await execute(
      db,
      `CREATE TABLE t (id INTEGER PRIMARY KEY, b NUMERIC(10, 4)${more})`,
      'CREATE TABLE kept (id INTEGER, b NUMERIC(10, 4))',
      'CREATE TABLE lacking (id INTEGER)',
      'CREATE TABLE other (id INTEGER, b REAL)',
      'CREATE VIEW seen AS SELECT * FROM kept',
      'INSERT INTO t (id, b) VALUES (1, 2)',
    )
    const updater = await queued(db, deleteRows({ name: 'move', table: 't', where: '1 = 1', keepIn }))
    await expect(updater.runToCompletion()).rejects.toThrow(message)
    expect(await ids(db, 't')).toEqual([1])
  })

  it.each([
    [
      'the table is reached again through another one',
      'b INTEGER REFERENCES b ON DELETE CASCADE',
      'a INTEGER REFERENCES a ON DELETE CASCADE',
      'CREATE TABLE kept (id INTEGER, b INTEGER)',
      /it refers to "b" with ON DELETE CASCADE, whose rows go with those of "a".*rows would be deleted that are not kept/,
    ],
    [
      'the kept rows refer to the deleted ones',
      'b INTEGER',
      'a INTEGER',
      'CREATE TABLE kept (id INTEGER REFERENCES a ON DELETE CASCADE, b INTEGER)',
      /kept \(keepIn\): it refers to "a" with ON DELETE CASCADE, so rows would be deleted as soon as they are kept/,
    ],
    [
      'the kept rows refer to what goes with the deleted ones',
      'b INTEGER',
      'a INTEGER REFERENCES a ON DELETE CASCADE',
      'CREATE TABLE kept (id INTEGER, b INTEGER REFERENCES b ON DELETE SET NULL)',
      /kept \(keepIn\): it refers to "b" with ON DELETE SET NULL, whose rows.*would be changed as soon as they are kept/,
    ],
  ])('refuses keepIn where cascades would take rows that are to be kept: %s', async (_, inA, inB, kept, message) => {
    const db = await context.fresh()
    await execute(
      db,
      `CREATE TABLE b (id INTEGER PRIMARY KEY)`,
      `CREATE TABLE a (id INTEGER PRIMARY KEY, ${inA})`,
      `ALTER TABLE b ADD COLUMN ${inB}`,
      kept,
      'INSERT INTO a (id) VALUES (1)',
      'INSERT INTO b (id, a) VALUES (10, 1)',
      'INSERT INTO a (id, b) VALUES (2, 10)',
    )
    const updater = await queued(db, deleteRows({ name: 'move', table: 'a', where: 'id = 1', keepIn: 'kept' }))
    await expect(updater.runToCompletion()).rejects.toThrow(message)
    expect(await ids(db, 'a')).toEqual([1, 2])
  })

  it('moves rows that cascades lead away from', async () => {
    const db = await context.fresh()
    await execute(
      db,
      'CREATE TABLE root (id INTEGER PRIMARY KEY)',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, root INTEGER REFERENCES root ON DELETE CASCADE, peer INTEGER REFERENCES t ON DELETE SET NULL)',
      'CREATE TABLE part (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t ON DELETE CASCADE)',
      'CREATE TABLE kept (id INTEGER, root INTEGER REFERENCES root, peer INTEGER)',
      'INSERT INTO root VALUES (1)',
      'INSERT INTO t VALUES (1, 1, NULL), (2, 1, 1)',
      'INSERT INTO part VALUES (5, 1), (6, 2)',
    )
    await runAll(await queued(db, deleteRows({ name: 'move', table: 't', where: 'id = 1', keepIn: 'kept' })))
    expect([await ids(db, 't'), await ids(db, 'kept'), await ids(db, 'part')]).toEqual([[2], [1], [6]])
  })
})
