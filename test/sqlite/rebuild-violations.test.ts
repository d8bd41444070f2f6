import { describe, expect, it } from 'vitest'
import { check, foreignKey, notNull, unique } from '../../src/updates/constraints/constraint.js'
import { ConstraintViolationsError } from '../../src/updates/constraints/errors.js'
import { OrphanedRowsError, RepairHadNoEffectError } from '../../src/updates/constraints/sqlite-rebuild/errors.js'
import { contentOf, openRebuildFixture } from './rebuild-fixture.js'

// Own columns and parent columns have other names, cross, and hold NULLs.
const PARCELS = `
  CREATE TABLE places (zip TEXT, country TEXT, name TEXT, PRIMARY KEY (country, zip));
  CREATE TABLE parcels (id INTEGER PRIMARY KEY, country TEXT, zip TEXT, weight INT, tag TEXT);
  CREATE TABLE stops (parcel INT REFERENCES parcels ON DELETE CASCADE, at TEXT);
  CREATE TABLE lost_parcels (tag TEXT, id INT, country TEXT, zip TEXT, weight INT);
  INSERT INTO places VALUES ('10115', 'DE', 'Berlin'), ('75001', 'FR', 'Paris');
  -- "zip" holds the country and "country" the zip.
  INSERT INTO parcels VALUES
    (1, '10115', 'DE', 5, 'a'), (2, 'DE', '10115', 5, 'b'), (3, NULL, 'DE', 5, NULL), (4, '99999', 'DE', -1, 'a'),
    (5, '75001', NULL, NULL, NULL), (6, '75001', 'FR', -7, 'c'), (7, '75001', 'DE', 5, 'a');
  INSERT INTO stops VALUES (1, 'x'), (6, 'y')`

const place = foreignKey({ columns: { country: 'zip', zip: 'country' }, references: 'places' })

const IDS = 'SELECT id FROM parcels ORDER BY id'

describe('rows that violate the constraint', () => {
  it.each([
    ['a foreign key', place, [2, 4, 7]],
    ['a NOT NULL', notNull('weight'), [5]],
    ['a check', check('parcels.weight > 0'), [4, 6]],
    ['a unique key', unique(['tag']), [4, 7]],
  ])('of %s are reported with count and samples, and nothing changes', async (_name, constraint, violators) => {
    const { raw, add } = openRebuildFixture(PARCELS)
    const before = contentOf(raw)
    const error: unknown = await add({ table: 'parcels', constraint }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ConstraintViolationsError)
    const { count, samples, message } = error as ConstraintViolationsError
    expect(count).toBe(violators.length)
    expect(samples.map((sample) => sample['id'])).toEqual(violators)
    expect(message).toContain('"added"')
    expect(contentOf(raw)).toEqual(before)
  })

  it('are deleted, and kept in another table', async () => {
    const { raw, add, rows } = openRebuildFixture(PARCELS)
    await add({ table: 'parcels', constraint: place, onViolation: 'delete', keepIn: 'lost_parcels', maxViolations: 3 })
    expect(rows(IDS)).toEqual([[1], [3], [5], [6]])
    expect(rows('SELECT id, country, zip, weight, tag FROM lost_parcels ORDER BY id')).toEqual([
      [2, 'DE', '10115', 5, 'b'],
      [4, '99999', 'DE', -1, 'a'],
      [7, '75001', 'DE', 5, 'a'],
    ])
    expect(rows('SELECT count(*) FROM stops')).toEqual([[2]])
    expect(() => raw.exec("INSERT INTO parcels VALUES (8, 'DE', '10115', 1, NULL)")).toThrow('FOREIGN KEY')
    raw.exec("INSERT INTO parcels VALUES (8, '10115', 'DE', 1, NULL), (9, NULL, 'nowhere', 1, NULL)")
  })

  it.each([
    ['a trigger drops one', 'UNIQUE (id)', '7 rows were deleted and 6 kept'],
    ['ON CONFLICT IGNORE drops one', 'UNIQUE (id) ON CONFLICT IGNORE', 'UNIQUE constraint failed: lost.id'],
    [
      'ON CONFLICT REPLACE takes one kept before',
      'UNIQUE (id) ON CONFLICT REPLACE',
      'UNIQUE constraint failed: lost.id',
    ],
  ])('are not deleted when they can’t all be kept: %s', async (_, key, message) => {
    const trigger =
      key === 'UNIQUE (id)'
        ? 'CREATE TRIGGER losing BEFORE INSERT ON lost WHEN new.id = 3 BEGIN SELECT RAISE(IGNORE); END'
        : `INSERT INTO lost VALUES (3, 'before')`
    const { raw, add } = openRebuildFixture(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
      WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 7)
      INSERT INTO t SELECT i, 'bad' FROM n;
      CREATE TABLE lost (id INTEGER, v TEXT, ${key});
      ${trigger}`)
    const before = contentOf(raw)
    const constraint = check(`v <> 'bad'`)
    await expect(add({ table: 't', constraint, onViolation: 'delete', keepIn: 'lost' })).rejects.toThrow(message)
    expect(contentOf(raw)).toEqual(before)
  })

  it.each([
    ['of another type', 'CREATE TABLE lost (id INTEGER, n INTEGER, v INT, w ANY) STRICT', 'is of type INT, not TEXT'],
    [
      'whose key numbers NULLs',
      'CREATE TABLE lost (n INTEGER PRIMARY KEY, id INTEGER, v TEXT, w ANY) STRICT',
      'INTEGER PRIMARY KEY',
    ],
    ['that isn’t STRICT', 'CREATE TABLE lost (n INTEGER, id INTEGER, v TEXT, w ANY)', "isn't STRICT"],
    ['that is a view', 'CREATE VIEW lost AS SELECT * FROM t', 'it is a view'],
  ])('are not deleted when a value would be kept as another: a table %s', async (_, keepIn, message) => {
    const { raw, add } = openRebuildFixture(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, v TEXT, w ANY) STRICT;
      INSERT INTO t VALUES (1, NULL, '00123', '007'), (2, 5, 'x', NULL);
      ${keepIn}`)
    const before = contentOf(raw)
    const constraint = check(`v = 'x'`)
    await expect(add({ table: 't', constraint, onViolation: 'delete', keepIn: 'lost' })).rejects.toThrow(message)
    expect(contentOf(raw)).toEqual(before)
  })

  it('get NULL in the columns of the constraint', async () => {
    const { add, rows } = openRebuildFixture(PARCELS)
    await add({ table: 'parcels', constraint: place, onViolation: 'null' })
    expect(rows('SELECT id, country, zip, weight FROM parcels WHERE id IN (1, 2, 3, 4, 7) ORDER BY id')).toEqual([
      [1, '10115', 'DE', 5],
      [2, null, null, 5],
      [3, null, 'DE', 5],
      [4, null, null, -1],
      [7, null, null, 5],
    ])
  })

  it.each([
    ['take the place of no other row', 'p INT, q AS (coalesce(p, 0)) UNIQUE ON CONFLICT REPLACE', 'UNIQUE'],
    ['get no default instead', 'p INT NOT NULL ON CONFLICT REPLACE DEFAULT 1', 'NOT NULL'],
  ])('get NULL as the repair says or not at all: they %s', async (_, columns, refusal) => {
    const { raw, add } = openRebuildFixture(`
      CREATE TABLE parents (id INTEGER PRIMARY KEY);
      CREATE TABLE t (id INTEGER PRIMARY KEY, ${columns});
      INSERT INTO parents VALUES (1);
      INSERT INTO t (id, p) VALUES (1, 1), (2, 22), (3, 33)`)
    const before = contentOf(raw)
    const constraint = foreignKey({ columns: { p: 'id' }, references: 'parents' })
    await expect(add({ table: 't', constraint, onViolation: 'null' })).rejects.toThrow(`${refusal} constraint failed`)
    expect(contentOf(raw)).toEqual(before)
  })

  it('of a check get NULL in the columns that it names', async () => {
    const { raw, add, rows } = openRebuildFixture(PARCELS)
    await add({ table: 'parcels', constraint: check('weight > 0', { columns: ['weight'] }), onViolation: 'null' })
    expect(rows('SELECT id FROM parcels WHERE weight IS NULL')).toEqual([[4], [5], [6]])
    raw.exec('INSERT INTO parcels (weight) VALUES (NULL)')
  })

  it('of a unique key are all but the first of equal rows; NULLs are distinct', async () => {
    const { raw, add, rows } = openRebuildFixture(PARCELS)
    await add({ table: 'parcels', constraint: unique(['tag']), onViolation: 'delete' })
    expect(rows(IDS)).toEqual([[1], [2], [3], [5], [6]])
    expect(() => raw.exec("INSERT INTO parcels (tag) VALUES ('b')")).toThrow('UNIQUE')
    raw.exec('INSERT INTO parcels (tag) VALUES (NULL)')
  })

  it('of a unique key are found in tables without a key and without rowids', async () => {
    const { add, rows } = openRebuildFixture(`
      CREATE TABLE plain (a INT, b TEXT);
      CREATE TABLE keyed (k TEXT, l INT, a INT, PRIMARY KEY (k, l)) WITHOUT ROWID;
      INSERT INTO plain VALUES (1, 'first'), (1, 'second'), (NULL, 'x'), (NULL, 'y'), (1, 'third');
      INSERT INTO keyed VALUES ('b', 1, 7), ('a', 2, 7), ('a', 10, 7)`)
    await add({ table: 'plain', constraint: unique(['a']), onViolation: 'delete' })
    await add({ table: 'keyed', constraint: unique(['a']), onViolation: 'null' })
    expect(rows('SELECT b FROM plain ORDER BY b')).toEqual([['first'], ['x'], ['y']])
    expect(rows('SELECT k, l, a FROM keyed')).toEqual([
      ['a', 2, 7],
      ['a', 10, null],
      ['b', 1, null],
    ])
  })

  it.each([
    ['delete', 2],
    ['null', 0],
  ] as const)('are refused when they are more than maxViolations (%s)', async (onViolation, maxViolations) => {
    const { raw, add } = openRebuildFixture(PARCELS)
    const before = contentOf(raw)
    const error: unknown = await add({ table: 'parcels', constraint: place, onViolation, maxViolations }).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(ConstraintViolationsError)
    expect((error as ConstraintViolationsError).count).toBe(3)
    expect((error as ConstraintViolationsError).message).toContain(`maxViolations (${maxViolations})`)
    expect(contentOf(raw)).toEqual(before)
  })

  it('are not deleted when that would leave children without a parent; no cascade deletes those', async () => {
    const { raw, add } = openRebuildFixture(PARCELS)
    const before = contentOf(raw)
    const error: unknown = await add({
      table: 'parcels',
      constraint: check('weight > -5'),
      onViolation: 'delete',
    }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OrphanedRowsError)
    const { count, samples, message } = error as OrphanedRowsError
    expect(count).toBe(1)
    expect(samples).toEqual([{ table: 'stops', rowid: 2, parent: 'parcels' }])
    expect(message).toContain('stops (rowid 2)')
    expect(contentOf(raw)).toEqual(before)
  })

  it('are deleted round by round where a table refers to itself, within maxViolations altogether', async () => {
    const chain = `
      CREATE TABLE nodes (id INTEGER PRIMARY KEY, parent INT);
      INSERT INTO nodes VALUES (1, NULL), (2, 1), (3, 99), (4, 3), (5, 4), (6, 5), (7, 7)`
    const constraint = foreignKey({ columns: { parent: 'id' }, references: 'nodes' })
    const deleted = openRebuildFixture(chain)
    await deleted.add({ table: 'nodes', constraint, onViolation: 'delete', maxViolations: 4 })
    expect(deleted.rows('SELECT id FROM nodes')).toEqual([[1], [2], [7]])
    const limited = openRebuildFixture(chain)
    const before = contentOf(limited.raw)
    await expect(limited.add({ table: 'nodes', constraint, onViolation: 'delete', maxViolations: 3 })).rejects.toThrow(
      'maxViolations (3)',
    )
    expect(contentOf(limited.raw)).toEqual(before)
    const nulled = openRebuildFixture(chain)
    await nulled.add({ table: 'nodes', constraint, onViolation: 'null' })
    expect(nulled.rows('SELECT id FROM nodes WHERE parent IS NULL')).toEqual([[1], [3]])
  })

  it('are an error when the repair has no effect, and never a loop', async () => {
    const { raw, add } = openRebuildFixture(`${PARCELS};
      CREATE TRIGGER keep BEFORE DELETE ON parcels BEGIN SELECT raise(IGNORE); END;
      CREATE TRIGGER again AFTER UPDATE ON parcels WHEN new.weight IS NULL BEGIN
        DELETE FROM parcels WHERE id = new.id;
        INSERT INTO parcels (weight) VALUES (-1);
      END;
      CREATE TABLE again (a INT);
      INSERT INTO again VALUES (0), (0);
      CREATE TRIGGER once_more AFTER DELETE ON again BEGIN INSERT INTO again VALUES (old.a); END`)
    const before = contentOf(raw)
    const constraint = check('weight > 0', { columns: ['weight'] })
    await expect(add({ table: 'parcels', constraint, onViolation: 'delete' })).rejects.toThrow(RepairHadNoEffectError)
    await expect(add({ table: 'again', constraint: check('a > 0'), onViolation: 'delete' })).rejects.toThrow(
      RepairHadNoEffectError,
    )
    await expect(
      add({
        table: 'parcels',
        constraint: check('weight > 0 AND weight IS NOT NULL', { columns: ['weight'] }),
        onViolation: 'null',
      }),
    ).rejects.toThrow(RepairHadNoEffectError)
    expect(contentOf(raw)).toEqual(before)
  })

  it.each([
    [
      'a NOT NULL can’t be repaired by NULL',
      { constraint: notNull('weight'), onViolation: 'null' },
      'a NULL is what violates it',
    ],
    ['a check without columns', { constraint: check('weight > 0'), onViolation: 'null' }, 'which columns'],
    [
      'keepIn is the table',
      { constraint: place, onViolation: 'delete', keepIn: 'Parcels' },
      'it is the table that the rows are deleted from',
    ],
    ['keepIn doesn’t exist', { constraint: place, onViolation: 'delete', keepIn: 'parcel' }, 'does not exist'],
    ['keepIn has other columns', { constraint: place, onViolation: 'delete', keepIn: 'stops' }, 'no column "id"'],
  ] as const)('can’t be repaired: %s', async (_name, request, reason) => {
    const { raw, add } = openRebuildFixture(PARCELS)
    const before = contentOf(raw)
    await expect(add({ table: 'parcels', ...request })).rejects.toThrow(reason)
    expect(contentOf(raw)).toEqual(before)
  })

  it('stay when the table refuses the repair', async () => {
    const { raw, add } = openRebuildFixture(`
      CREATE TABLE p (id INTEGER PRIMARY KEY);
      CREATE TABLE t (p INT NOT NULL);
      INSERT INTO t VALUES (1)`)
    const before = contentOf(raw)
    const constraint = foreignKey({ columns: { p: 'id' }, references: 'p' })
    await expect(add({ table: 't', constraint, onViolation: 'null' })).rejects.toMatchObject({
      code: 'REBUILD_FAILED',
      message: expect.stringContaining('NOT NULL constraint failed: t.p') as string,
    })
    expect(contentOf(raw)).toEqual(before)
  })
})

describe('foreign_key_check before the commit', () => {
  const DAMAGED = `
    PRAGMA foreign_keys = OFF;
    CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE child (p INT REFERENCES p);
    CREATE TABLE other (q INT REFERENCES q, p INT REFERENCES p);
    CREATE TABLE q (id INTEGER PRIMARY KEY);
    CREATE TABLE mismatched (n TEXT REFERENCES q (missing));
    INSERT INTO p VALUES (1, 'a');
    INSERT INTO child VALUES (1);
    INSERT INTO other VALUES (404, 1);
    INSERT INTO mismatched VALUES ('x');
    PRAGMA foreign_keys = ON`

  it('leaves aside what the change doesn’t concern', async () => {
    const { add, rows } = openRebuildFixture(DAMAGED)
    await add({ table: 'p', constraint: notNull('name') })
    expect(rows("SELECT \"notnull\" FROM pragma_table_info('p') WHERE name = 'name'")).toEqual([[1]])
  })

  it('refuses what the table or its children had before', async () => {
    const { raw, add } = openRebuildFixture(DAMAGED)
    const before = contentOf(raw)
    await expect(add({ table: 'other', constraint: unique(['p']) })).rejects.toThrow('other (rowid 1)')
    await expect(add({ table: 'q', constraint: check('id > 0') })).rejects.toThrow('foreign key mismatch')
    expect(contentOf(raw)).toEqual(before)
  })
})
