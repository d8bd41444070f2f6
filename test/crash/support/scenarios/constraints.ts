import {
  addConstraint,
  backfill,
  check,
  createIndex,
  foreignKey,
  setNotNull,
  unique,
  validateConstraint,
  validateConstraintAndRepair,
} from 'evenkeel'
import { BATCH, BOTH, countChanges, numbers, ROWS, type Scenario } from '../scenario.js'

const sizes = { defaultBatchSize: BATCH, minBatchSize: BATCH, maxBatchSize: BATCH }

const parent = foreignKey({ columns: { parent_id: 'id' }, references: 'parents' })

// Every fourth child refers to nobody.
const orphans: Scenario['tables'] = (dialect) => `
CREATE TABLE parents (id INTEGER PRIMARY KEY);
INSERT INTO parents SELECT i FROM ${numbers(5)};
CREATE TABLE t (id INTEGER PRIMARY KEY, parent_id INTEGER);
INSERT INTO t SELECT i, CASE WHEN i % 4 = 0 THEN 99 ELSE i % 5 + 1 END FROM ${numbers(ROWS)};
CREATE TABLE kept (id INTEGER PRIMARY KEY, parent_id INTEGER);
${dialect === 'postgres' ? 'ALTER TABLE t ADD CONSTRAINT t_parent_fkey FOREIGN KEY (parent_id) REFERENCES parents (id) NOT VALID;' : ''}
${countChanges(dialect, 't')}`

const prices: Scenario['tables'] = (dialect) => `
CREATE TABLE t (id INTEGER PRIMARY KEY, price INTEGER, price_cents INTEGER);
CREATE INDEX t_price_idx ON t (price);
INSERT INTO t (id, price) SELECT i, i * 7 FROM ${numbers(ROWS)};
${countChanges(dialect, 't')}`

const words: Scenario['tables'] = (dialect) => `
CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT);
INSERT INTO t SELECT i, 'w' || i % 9 FROM ${numbers(ROWS)};
${countChanges(dialect, 't')}`

function notValidated(constraint: string): string {
  return `SELECT 1 WHERE (SELECT count(*) FROM pg_constraint WHERE conname = '${constraint}' AND convalidated) <> 1`
}

function nullable(dialect: string, column: string): string {
  return dialect === 'postgres'
    ? `SELECT 1 FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = '${column}' AND NOT attnotnull`
    : `SELECT 1 FROM pragma_table_info('t') WHERE name = '${column}' AND "notnull" = 0`
}

/** Constraints: their validation, the repair of what violates them, and SQLite's rebuild of the table. */
export const constraints: readonly Scenario[] = [
  {
    name: 'validateConstraint',
    dialects: ['postgres'],
    tables: (dialect) => `${prices(dialect)} ALTER TABLE t ADD CONSTRAINT t_price_check CHECK (price > 0) NOT VALID;`,
    updates: () => [validateConstraint({ name: 'validate', table: 't', constraintName: 't_price_check' })],
    wrong: () => [notValidated('t_price_check')],
    changed: 0,
  },
  {
    name: 'validateConstraintAndRepair delete',
    dialects: ['postgres'],
    tables: orphans,
    updates: () => [
      validateConstraintAndRepair({
        name: 'repair',
        table: 't',
        constraintName: 't_parent_fkey',
        constraint: parent,
        onViolation: 'delete',
        maxViolations: 3,
        ...sizes,
      }),
    ],
    wrong: () => [notValidated('t_parent_fkey'), `SELECT 1 WHERE (SELECT count(*) FROM t) <> ${ROWS - 3}`],
    changed: 3,
  },
  {
    name: 'validateConstraintAndRepair keepIn',
    dialects: ['postgres'],
    tables: orphans,
    updates: () => [
      validateConstraintAndRepair({
        name: 'repair',
        table: 't',
        constraintName: 't_parent_fkey',
        constraint: parent,
        onViolation: 'delete',
        keepIn: 'kept',
        ...sizes,
      }),
    ],
    wrong: () => [notValidated('t_parent_fkey'), 'SELECT 1 WHERE (SELECT count(*) FROM kept) <> 3'],
    changed: 3,
  },
  {
    name: 'validateConstraintAndRepair null',
    dialects: ['postgres'],
    tables: orphans,
    updates: () => [
      validateConstraintAndRepair({
        name: 'repair',
        table: 't',
        constraintName: 't_parent_fkey',
        constraint: parent,
        onViolation: 'null',
        ...sizes,
      }),
    ],
    wrong: () => [
      notValidated('t_parent_fkey'),
      'SELECT 1 WHERE (SELECT count(*) FROM t WHERE parent_id IS NULL) <> 3',
    ],
    changed: 3,
  },
  {
    name: 'validateConstraintAndRepair unique',
    dialects: ['postgres'],
    tables: words,
    updates: () => [
      validateConstraintAndRepair({
        name: 'repair',
        table: 't',
        constraintName: 't_word_key',
        constraint: unique(['word']),
        onViolation: 'delete',
        maxViolations: 3,
        ...sizes,
      }),
    ],
    wrong: () => [notValidated('t_word_key'), `SELECT 1 WHERE (SELECT count(*) FROM t) <> ${ROWS - 3}`],
    changed: 3,
  },
  {
    name: 'setNotNull',
    dialects: BOTH,
    tables: prices,
    updates: () => [setNotNull({ name: 'not_null', table: 't', column: 'price' })],
    wrong: (dialect) => [nullable(dialect, 'price')],
    changed: 0,
  },
  {
    name: 'addConstraint',
    dialects: BOTH,
    tables: prices,
    updates: () => [
      validateConstraint({ name: 'validate', table: 't', constraintName: 't_price_check', on: 'postgres' }),
    ],
    migrate: (database) =>
      addConstraint(database, {
        constraintName: 't_price_check',
        table: 't',
        constraint: check('price > 0'),
        update: 'validate',
      }),
    wrong: (dialect) =>
      dialect === 'postgres'
        ? [notValidated('t_price_check')]
        : ["SELECT 1 WHERE (SELECT count(*) FROM sqlite_master WHERE name = 't' AND sql LIKE '%t_price_check%') <> 1"],
    changed: 0,
  },
  {
    name: 'a chain of updates',
    dialects: BOTH,
    tables: prices,
    updates: () => [
      setNotNull({ name: 'a_not_null', table: 't', column: 'price_cents', dependsOn: ['b_index', 'c_cents'] }),
      createIndex({
        name: 'b_index',
        index: 't_cents_key',
        table: 't',
        columns: ['price_cents'],
        unique: true,
        dependsOn: 'c_cents',
      }),
      backfill({ name: 'c_cents', table: 't', set: { price_cents: 'price * 100' }, ...sizes }),
    ],
    wrong: (dialect) => [nullable(dialect, 'price_cents'), 'SELECT id FROM t WHERE price_cents <> price * 100'],
    changed: ROWS,
  },
]
