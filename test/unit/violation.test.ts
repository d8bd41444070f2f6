import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { check, foreignKey, notNull, unique, type Constraint } from '../../src/updates/constraints/constraint.js'
import { violationPredicate } from '../../src/updates/constraints/violation.js'

/** Ids of the rows of `child` that violate the constraint, found by a real SQLite. */
function violators(setup: string, constraint: Constraint, { table = 'child' } = {}): unknown[] {
  const sqlite = new Database(':memory:')
  onTestFinished(() => void sqlite.close())
  sqlite.exec(setup)
  const predicate = violationPredicate(constraint, { dialect: 'sqlite', row: table, table, key: ['id'] })
  return sqlite.prepare(`SELECT id FROM "${table}" WHERE ${predicate} ORDER BY id`).pluck().all()
}

describe('violation predicates on SQLite', () => {
  it('compares own to parent column in the declared direction, also when the names cross', () => {
    const setup = `
      CREATE TABLE parent (a INT, b INT);
      INSERT INTO parent VALUES (1, 2);
      CREATE TABLE child (id INTEGER PRIMARY KEY, a INT, b INT);
      INSERT INTO child VALUES (1, 2, 1), (2, 1, 2), (3, NULL, 7), (4, 7, NULL), (5, 7, 7)`
    expect(violators(setup, foreignKey({ columns: { a: 'b', b: 'a' }, references: 'parent' }))).toEqual([2, 5])
    expect(violators(setup, foreignKey({ columns: { a: 'a', b: 'b' }, references: 'parent' }))).toEqual([1, 5])
  })

  it('finds orphans of a table that refers to itself', () => {
    const setup = `
      CREATE TABLE child (id INTEGER PRIMARY KEY, parent INT);
      INSERT INTO child VALUES (1, NULL), (2, 1), (3, 9), (4, 4)`
    expect(violators(setup, foreignKey({ columns: { parent: 'id' }, references: 'child' }))).toEqual([3])
  })

  it('is not confused by tables called like our aliases', () => {
    const setup = `
      CREATE TABLE evenkeel_parent (id INTEGER PRIMARY KEY, parent INT);
      INSERT INTO evenkeel_parent VALUES (1, NULL), (2, 1), (3, 9)`
    const constraint = foreignKey({ columns: { parent: 'id' }, references: 'evenkeel_parent' })
    expect(violators(setup, constraint, { table: 'evenkeel_parent' })).toEqual([3])
  })

  it('compares as SQLite compares keys: under the affinity of the parent', () => {
    const setup = `
      CREATE TABLE parent (code TEXT);
      INSERT INTO parent VALUES ('1'), ('02');
      CREATE TABLE child (id INTEGER PRIMARY KEY, code INT);
      INSERT INTO child VALUES (1, 1), (2, 2)`
    expect(violators(setup, foreignKey({ columns: { code: 'code' }, references: 'parent' }))).toEqual([2])
  })

  it('takes NULL for no violation of a check, and survives a comment in it', () => {
    const setup = `
      CREATE TABLE child (id INTEGER PRIMARY KEY, n INT);
      INSERT INTO child VALUES (1, 5), (2, -5), (3, NULL), (4, 0)`
    expect(violators(setup, check('n > 0'))).toEqual([2, 4])
    expect(violators(setup, check('n > 0 OR n < 0 -- not 0'))).toEqual([4])
    expect(violators(setup, notNull('n'))).toEqual([3])
  })

  it('keeps the row with the lowest key of equal ones; a NULL is never equal', () => {
    const setup = `
      CREATE TABLE child (id INTEGER PRIMARY KEY, a INT, b INT);
      INSERT INTO child VALUES (1, 1, 1), (2, 1, NULL), (3, 1, NULL), (4, 1, 1), (5, 2, 1), (6, 1, 1)`
    expect(violators(setup, unique(['a', 'b']))).toEqual([4, 6])
  })
})

describe('constraint values', () => {
  it('are immutable and say what they are', () => {
    const constraint = foreignKey({ columns: { a: 'b' }, references: { schema: 's', name: 't' }, deferrable: true })
    expect(constraint).toEqual({
      kind: 'foreignKey',
      columns: [{ own: 'a', parent: 'b' }],
      references: { schema: 's', name: 't' },
      onDelete: 'no action',
      onUpdate: 'no action',
      deferrable: 'initially immediate',
    })
    for (const part of [constraint, constraint.columns, constraint.columns[0], constraint.references]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
    expect(Object.isFrozen(unique(['a']).columns)).toBe(true)
  })

  it.each([
    ['a misspelt option', () => foreignKey({ columns: { a: 'b' }, reference: 't' } as never), /mean "references"/],
    ['no columns', () => foreignKey({ columns: {}, references: 't' }), /at least one column/],
    ['two own columns for one', () => foreignKey({ columns: { a: 'x', b: 'x' }, references: 't' }), /more than once/],
    ['an action', () => foreignKey({ columns: { a: 'x' }, references: 't', onDelete: 'drop' as never }), /onDelete/],
    ['an empty expression', () => check(' '), /must be SQL/],
    ['an empty column', () => notNull(''), /empty/],
    ['a column twice', () => unique(['a', 'a']), /twice/],
    ['no array', () => unique('a' as never), /array/],
  ])('refuse %s', (_, make, message) => {
    expect(make).toThrow(message)
  })
})
