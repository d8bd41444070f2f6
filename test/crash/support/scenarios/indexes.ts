import { createIndex } from 'evenkeel'
import { BOTH, countChanges, numbers, ROWS, type Scenario } from '../scenario.js'

const plain: Scenario['tables'] = (dialect) => `
CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, word TEXT);
INSERT INTO t SELECT i, i % 5, 'w' || i FROM ${numbers(ROWS)};
CREATE INDEX t_old_idx ON t (n);
${countChanges(dialect, 't')}`

const partitioned: Scenario['tables'] = (dialect) => `
CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (1) TO (6);
CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (6) TO (100);
INSERT INTO t SELECT i, i % 5 FROM ${numbers(ROWS)};
${countChanges(dialect, 't')}`

function missing(index: string): Scenario['wrong'] {
  return (dialect) =>
    dialect === 'postgres'
      ? [
          `SELECT 1 WHERE (SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('${index}') AND indisvalid) <> 1`,
        ]
      : [`SELECT 1 WHERE (SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name = '${index}') <> 1`]
}

/** Index builds, which no transaction can hold. */
export const indexes: readonly Scenario[] = [
  {
    name: 'createIndex',
    dialects: BOTH,
    tables: plain,
    updates: () => [createIndex({ name: 'index', index: 't_n_idx', table: 't', columns: ['n', 'word'] })],
    wrong: missing('t_n_idx'),
    changed: 0,
  },
  {
    name: 'createIndex unique',
    dialects: BOTH,
    tables: plain,
    updates: () => [createIndex({ name: 'index', index: 't_word_key', table: 't', columns: ['word'], unique: true })],
    wrong: missing('t_word_key'),
    changed: 0,
  },
  {
    name: 'createIndex replaces',
    dialects: BOTH,
    tables: plain,
    updates: () => [
      createIndex({ name: 'index', index: 't_new_idx', table: 't', columns: ['n', 'word'], replaces: 't_old_idx' }),
    ],
    wrong: (dialect) => [
      ...missing('t_new_idx')(dialect),
      dialect === 'postgres'
        ? "SELECT 1 WHERE to_regclass('t_old_idx') IS NOT NULL"
        : "SELECT 1 FROM sqlite_master WHERE name = 't_old_idx'",
    ],
    changed: 0,
  },
  {
    name: 'createIndex partitioned',
    dialects: ['postgres'],
    tables: partitioned,
    updates: () => [createIndex({ name: 'index', index: 't_n_idx', table: 't', columns: ['n'] })],
    wrong: missing('t_n_idx'),
    changed: 0,
  },
]
