import { fromPg } from 'evenkeel/pg'
import type { Database } from 'evenkeel'
import { expect, it } from 'vitest'
import { rowBackfill } from '../../src/updates/row-backfill.js'
import type { RowChange } from '../../src/updates/row-backfill.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'
import { queued, runAll } from '../support/walks.js'

describePostgres('rowBackfill and constraints that are checked late', (postgres) => {
  async function run(fresh: TestDatabase, map: (row: { id: number }) => RowChange): Promise<unknown[]> {
    const update = rowBackfill<{ id: number }>({ name: 'rows', table: 't', columns: ['id'], maxQuarantined: 2, map })
    await runAll(await queued({ database: fromPg(fresh.pool) as unknown as Database<never> }, update, [20]))
    const { rows } = await fresh.pool.query<{ key_json: string; error: string }>(
      'SELECT key_json, error FROM background_update_quarantine ORDER BY id',
    )
    return rows
  }

  const numbered = (columns: string) =>
    `CREATE TABLE t (id int, x int, y int, ${columns}); INSERT INTO t SELECT g, g FROM generate_series(1, 50) g;`

  it.each([
    [
      'a foreign key',
      `CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 50);
      ${numbered('PRIMARY KEY (id), FOREIGN KEY (x) REFERENCES p DEFERRABLE INITIALLY DEFERRED')}`,
      /violates foreign key/,
    ],
    [
      'a foreign key of another table',
      `${numbered('PRIMARY KEY (id), UNIQUE (x)')}
      CREATE TABLE other (x int REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED); INSERT INTO other VALUES (17)`,
      /violates foreign key/,
    ],
    [
      'a unique key',
      `${numbered('PRIMARY KEY (id), UNIQUE (x) DEFERRABLE INITIALLY DEFERRED')}
      INSERT INTO t VALUES (51, 9999)`,
      /duplicate key/,
    ],
    [
      'a constraint trigger',
      `${numbered('PRIMARY KEY (id)')}
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no %', NEW.x; END $$;
      CREATE CONSTRAINT TRIGGER refusing AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW WHEN (NEW.x = 9999) EXECUTE FUNCTION refuse()`,
      /no 9999/,
    ],
    [
      'a constraint of a partition',
      `CREATE TABLE t (id int PRIMARY KEY, x int, y int) PARTITION BY RANGE (id);
      CREATE TABLE low PARTITION OF t FOR VALUES FROM (1) TO (30);
      CREATE TABLE high PARTITION OF t FOR VALUES FROM (30) TO (100);
      CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 50);
      ALTER TABLE low ADD FOREIGN KEY (x) REFERENCES p DEFERRABLE INITIALLY DEFERRED;
      INSERT INTO t SELECT g, g FROM generate_series(1, 50) g`,
      /violates foreign key/,
    ],
    [
      'what a trigger writes elsewhere',
      `CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 50);
      CREATE TABLE log (x int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
      ${numbered('PRIMARY KEY (id)')}
      CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.x); RETURN NEW; END $$;
      CREATE TRIGGER noting AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note()`,
      /violates foreign key/,
    ],
  ])('sets aside the row that breaks %s', async (_, schema, message) => {
    const fresh = await postgres.freshDatabase()
    await fresh.pool.query(schema)
    expect(await run(fresh, ({ id }) => ({ x: id === 17 ? 9999 : id, y: id }))).toEqual([
      { key_json: '["17"]', error: expect.stringMatching(message) as string },
    ])
    expect((await fresh.pool.query('SELECT id FROM t WHERE y IS NULL AND id <= 50')).rows).toEqual([{ id: 17 }])
  })

  it('lets rows of a batch exchange a unique value, whichever columns they change', async () => {
    const fresh = await postgres.freshDatabase()
    await fresh.pool.query(numbered('PRIMARY KEY (id), UNIQUE (x) DEFERRABLE INITIALLY DEFERRED'))
    expect(
      await run(fresh, ({ id }) => (id === 3 ? { x: 4 } : id === 4 ? { x: 3, y: 1 } : id === 45 ? { x: 9 } : null)),
    ).toEqual([{ key_json: '["45"]', error: expect.stringMatching(/duplicate key/) as string }])
    expect((await fresh.pool.query('SELECT id, x FROM t WHERE id <> x ORDER BY id')).rows).toEqual([
      { id: 3, x: 4 },
      { id: 4, x: 3 },
    ])
  })
})
