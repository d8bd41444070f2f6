import { backfill, deleteRows, rowBackfill } from 'evenkeel'
import { BATCH, BOTH, countChanges, numbers, ROWS, type Scenario } from '../scenario.js'

const numbered: Scenario['tables'] = (dialect) => `
CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, doubled INTEGER);
INSERT INTO t (id, n) SELECT i * 3, i FROM ${numbers(ROWS)};
${countChanges(dialect, 't')}`

const archived: Scenario['tables'] = (dialect) => `
${numbered(dialect)}
CREATE TABLE archive (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, doubled INTEGER);`

const sizes = { defaultBatchSize: BATCH, minBatchSize: BATCH, maxBatchSize: BATCH }
const notDoubled = 'SELECT id FROM t WHERE doubled IS NULL OR doubled <> n * 2'

/** Walks in batches, each of which is one transaction. */
export const walks: readonly Scenario[] = [
  {
    name: 'backfill set',
    dialects: BOTH,
    tables: numbered,
    updates: () => [backfill({ name: 'double', table: 't', set: { doubled: 'n * 2' }, ...sizes })],
    wrong: () => [notDoubled],
    changed: ROWS,
  },
  {
    name: 'backfill run',
    dialects: BOTH,
    tables: numbered,
    updates: () => [
      backfill({
        name: 'double',
        table: 't',
        version: 1,
        run: ({ sql, range }) => sql(`UPDATE t SET doubled = n * $1 WHERE ${range.sql}`, [2]),
        ...sizes,
      }),
    ],
    wrong: () => [notDoubled],
    changed: ROWS,
  },
  {
    name: 'backfill verify',
    dialects: BOTH,
    tables: numbered,
    // The walk leaves out two rows, which only the verification finds.
    updates: () => [
      backfill({
        name: 'double',
        table: 't',
        set: { doubled: 'n * 2' },
        where: 'n NOT IN (2, 11)',
        verify: 'doubled IS NULL',
        ...sizes,
      }),
    ],
    wrong: () => [notDoubled],
    changed: ROWS,
  },
  {
    name: 'rowBackfill',
    dialects: BOTH,
    tables: numbered,
    updates: () => [
      rowBackfill<{ n: number }>({
        name: 'double',
        table: 't',
        version: 1,
        columns: ['n'],
        map: ({ n }) => ({ doubled: n * 2 }),
        ...sizes,
      }),
    ],
    wrong: () => [notDoubled],
    changed: ROWS,
  },
  {
    name: 'rowBackfill with quarantine',
    dialects: BOTH,
    tables: numbered,
    updates: () => [
      rowBackfill<{ n: number }>({
        name: 'double',
        table: 't',
        version: 1,
        columns: ['n'],
        maxQuarantined: 2,
        map: ({ n }) => {
          if (n === 3 || n === 8) throw new Error(`${n} is odd in its own way`)
          return { doubled: n * 2 }
        },
        ...sizes,
      }),
    ],
    wrong: () => [
      `${notDoubled.replace('WHERE', 'WHERE n NOT IN (3, 8) AND (')})`,
      'SELECT id FROM t WHERE n IN (3, 8) AND doubled IS NOT NULL',
      'SELECT 1 WHERE (SELECT count(*) FROM background_update_quarantine) <> 2',
    ],
    changed: ROWS - 2,
  },
  {
    name: 'deleteRows',
    dialects: BOTH,
    tables: numbered,
    updates: () => [deleteRows({ name: 'delete', table: 't', where: 'n % 3 = 0', maxDeletes: 4, ...sizes })],
    wrong: () => ['SELECT id FROM t WHERE n % 3 = 0', `SELECT 1 WHERE (SELECT count(*) FROM t) <> ${ROWS - 4}`],
    changed: 4,
  },
  {
    name: 'deleteRows keepIn',
    dialects: BOTH,
    tables: archived,
    updates: () => [deleteRows({ name: 'move', table: 't', where: 'n % 3 = 0', keepIn: 'archive', ...sizes })],
    wrong: () => [
      'SELECT id FROM t WHERE n % 3 = 0',
      `SELECT 1 WHERE (SELECT count(*) FROM t) <> ${ROWS - 4}`,
      'SELECT 1 WHERE (SELECT count(*) FROM archive) <> 4',
    ],
    changed: 4,
  },
]
