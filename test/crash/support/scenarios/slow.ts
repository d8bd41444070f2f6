import { backfill } from 'evenkeel'
import { countChanges, numbers, type Scenario } from '../scenario.js'

const ROWS = 60

/** A walk of twenty batches that take their time, so that somebody can be stopped in one. */
export const slowWalk: Scenario = {
  name: 'slow walk',
  dialects: ['postgres'],
  tables: (dialect) => `
CREATE TABLE t (id INTEGER PRIMARY KEY, doubled INTEGER);
INSERT INTO t SELECT i FROM ${numbers(ROWS)};
${countChanges(dialect, 't')}`,
  updates: () => [
    backfill({
      name: 'double',
      table: 't',
      version: 1,
      async run({ sql, range }) {
        await sql(`UPDATE t SET doubled = id * 2 WHERE ${range.sql}`)
        await sql('SELECT pg_sleep(0.05)')
      },
      defaultBatchSize: 3,
      minBatchSize: 3,
      maxBatchSize: 3,
      idleInTransactionTimeoutMs: 1_000,
    }),
  ],
  wrong: () => [
    'SELECT id FROM t WHERE doubled IS DISTINCT FROM id * 2',
    'SELECT id FROM changes GROUP BY id HAVING count(*) <> 1',
    `SELECT 1 WHERE (SELECT count(*) FROM changes) <> ${ROWS}`,
    'SELECT update_name FROM background_updates',
    'SELECT 1 WHERE (SELECT count(*) FROM background_update_history WHERE batches = 20) <> 1',
  ],
  changed: ROWS,
}
