import type pg from 'pg'
import { expect, it } from 'vitest'
import { fromPg } from 'evenkeel/pg'
import {
  createIndex,
  DuplicateKeysError,
  ForeignPartitionError,
  IndexDefinitionError,
  IndexNameTakenError,
  IndexRefusedError,
  ReplacedIndexError,
} from '../../src/updates/create-index.js'
import type { CreateIndexOptions } from '../../src/updates/create-index.js'
import { failure, indexes, oldSnapshot, validity } from '../support/indexes.js'
import { crashAfter, runOneShot } from '../support/one-shot.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'

describePostgres('createIndex on a partitioned table', (postgres) => {
  // Two levels, a partition with other column numbers, a partition in another schema, names that need quotes.
  const make = async (): Promise<TestDatabase> => {
    const database = await postgres.freshDatabase()
    await database.pool.query(`
      CREATE SCHEMA "Archive";
      CREATE TABLE events (id bigint NOT NULL, at int NOT NULL, kind text) PARTITION BY RANGE (at);
      CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
      CREATE TABLE "Archive"."Events 2" (kind text, gone int, at int NOT NULL, id bigint NOT NULL);
      ALTER TABLE "Archive"."Events 2" DROP COLUMN gone;
      ALTER TABLE events ATTACH PARTITION "Archive"."Events 2" FOR VALUES FROM (10) TO (20);
      CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM (20) TO (30) PARTITION BY HASH (id);
      CREATE TABLE events_3a PARTITION OF events_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
      CREATE TABLE events_3b PARTITION OF events_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      CREATE TABLE events_default PARTITION OF events DEFAULT;
      INSERT INTO events SELECT n, n % 35, 'Kind ' || n FROM generate_series(1, 200) AS n`)
    return database
  }
  const update = (options: Partial<CreateIndexOptions> = {}) =>
    createIndex({
      name: 'u',
      index: 'events_idx',
      table: 'events',
      columns: [{ expression: 'lower(kind)' }],
      ...options,
    })
  const ALL = {
    events_idx: true,
    events_idx_events_1: true,
    'events_idx_Events 2': true,
    events_idx_events_3: true,
    events_idx_events_3_events_3a: true,
    events_idx_events_3_events_3b: true,
    events_idx_events_default: true,
  }

  it('builds it on every partition, and takes it for done the next time', async () => {
    const { pool } = await make()
    await runOneShot(fromPg(pool), update())
    expect(await validity(pool)).toEqual(ALL)
    const before = await indexes(pool)
    await runOneShot(fromPg(pool), update())
    expect(await indexes(pool)).toEqual(before)
  })

  it('goes on after a crash behind any statement, and replaces an older index', async ({ signal }) => {
    // Behind each of a hundred statements takes long: every tenth, and each version begins at another one.
    for (let last = (postgres.version * 2) % 10; !signal.aborted; last += 10) {
      const database = await postgres.freshDatabase()
      await database.pool.query(`
        CREATE TABLE events (id int, at int) PARTITION BY RANGE (at);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
        CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
        CREATE TABLE events_2a PARTITION OF events_2 DEFAULT;
        CREATE INDEX events_old ON events (id)`)
      const crash = crashAfter(last)
      const pool = database.openPool({ max: 1 })
      const replacing = update({ replaces: 'events_old', unique: true, columns: ['at', 'id'] })
      await runOneShot(fromPg(pool), replacing, crash).catch((error: unknown) =>
        expect(String(error)).toMatch(/crashed/),
      )
      await pool.end()
      await runOneShot(fromPg(database.pool), replacing)
      expect(await validity(database.pool)).toEqual({
        events_idx: true,
        events_idx_events_1: true,
        events_idx_events_2: true,
        events_idx_events_2_events_2a: true,
      })
      if (!crash.crashed()) break
      await database.dispose()
    }
  })

  it('takes what partitions have already, and repairs what is invalid', async () => {
    const { pool } = await make()
    await pool.query(`
      CREATE INDEX made_before ON events_1 (lower(kind));
      CREATE INDEX other_shape ON events_default (kind);
      CREATE INDEX "events_idx_Events 2" ON "Archive"."Events 2" (lower(kind))`)
    await expect(
      pool.query('CREATE UNIQUE INDEX CONCURRENTLY events_idx_events_default ON events_default ((0))'),
    ).rejects.toThrow()
    const before = await indexes(pool)
    expect(before.events_idx_events_default?.valid).toBe(false)
    await runOneShot(fromPg(pool), update())
    const { events_idx_events_1: _, ...others } = ALL
    expect(await validity(pool)).toEqual({ ...others, made_before: true, other_shape: true })
    const after = await indexes(pool)
    expect(after['events_idx_Events 2']?.oid).toBe(before['events_idx_Events 2']?.oid)
  })

  it('goes on with an index that was made on the parent alone, with parts attached that are not valid', async () => {
    const { pool } = await make()
    await pool.query(`
      CREATE INDEX events_idx ON ONLY events (lower(kind));
      CREATE INDEX part_idx ON events_1 (lower(kind));
      CREATE INDEX sub_idx ON ONLY events_3 (lower(kind));
      ALTER INDEX events_idx ATTACH PARTITION part_idx;
      ALTER INDEX events_idx ATTACH PARTITION sub_idx;
      UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'part_idx'::regclass`)
    await runOneShot(fromPg(pool), update())
    const state = await validity(pool)
    expect(state).toMatchObject({ events_idx: true, part_idx: true, sub_idx: true, sub_idx_events_3a: true })
    expect(Object.values(state)).not.toContain(false)
  })

  it('covers a partition that is added meanwhile, and ends when none is left', async () => {
    const { pool } = await make()
    let added = false
    await runOneShot(fromPg(pool), update(), {
      wrap: (query) => async (text, values) => {
        if (text.includes('ATTACH PARTITION') && !added) {
          added = true
          await pool.query('CREATE TABLE events_4 PARTITION OF events FOR VALUES FROM (100) TO (110)')
        }
        return query(text, values)
      },
    })
    expect(await validity(pool)).toMatchObject(ALL)
    await pool.query(
      `CREATE TABLE none (id int) PARTITION BY RANGE (id); CREATE TABLE none_1 PARTITION OF none FOR VALUES FROM (0) TO (1)`,
    )
    await pool.query(`CREATE INDEX none_idx ON ONLY none (id); DROP TABLE none_1`)
    await runOneShot(fromPg(pool), update({ table: 'none', index: 'none_idx', columns: ['id'] }))
    expect(await validity(pool)).toMatchObject({ none_idx: true })
  })

  it('refuses another definition, foreign partitions, and a unique index without the partition key', async () => {
    const { pool } = await make()
    await pool.query('CREATE INDEX taken ON events (kind)')
    await expect(runOneShot(fromPg(pool), update({ index: 'taken' }))).rejects.toThrow(IndexDefinitionError)
    await expect(runOneShot(fromPg(pool), update({ unique: true }))).rejects.toThrow(IndexRefusedError)
    await expect(
      runOneShot(fromPg(pool), update({ replaces: 'events_1_kind_idx', table: 'events_1' })),
    ).rejects.toThrow(ReplacedIndexError)
    await pool.query(`
      CREATE FOREIGN DATA WRAPPER nowhere;
      CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
      CREATE FOREIGN TABLE events_far PARTITION OF events FOR VALUES FROM (200) TO (210) SERVER nowhere`)
    const error = await failure(runOneShot(fromPg(pool), update()))
    expect(error).toBeInstanceOf(ForeignPartitionError)
    expect((error as Error).message).toContain('events_far')
    expect((await indexes(pool)).events_idx).toBeUndefined()
  })

  it('takes no index of a partition that is part of another one’s', async () => {
    const { pool } = await make()
    await pool.query(`
      CREATE INDEX other_idx ON ONLY events (lower(kind));
      CREATE INDEX events_idx_events_1 ON events_1 (lower(kind));
      ALTER INDEX other_idx ATTACH PARTITION events_idx_events_1`)
    await expect(runOneShot(fromPg(pool), update())).rejects.toThrow(IndexNameTakenError)
    await pool.query('ALTER INDEX events_idx_events_1 RENAME TO other_idx_events_1')
    await runOneShot(fromPg(pool), update())
    expect(await validity(pool)).toEqual({ ...ALL, other_idx: false, other_idx_events_1: true })
  })

  it('names the duplicates of a partition', async () => {
    const { pool } = await make()
    await pool.query(`INSERT INTO events VALUES (5, 25, 'Kind 5'), (5, 25, 'Kind 5')`)
    const error = await failure(runOneShot(fromPg(pool), update({ unique: true, columns: ['kind', 'at', 'id'] })))
    expect(error).toBeInstanceOf(DuplicateKeysError)
    expect(error).toMatchObject({ samples: [{ key: ['Kind 5', '25', '5'], rows: 2 }] })
    // The rest stays for the next attempt; of the failed part nothing does.
    expect((await indexes(pool)).events_idx?.valid).toBe(false)
    await pool.query(`DELETE FROM events WHERE id = 5 AND at = 25`)
    await runOneShot(fromPg(pool), update({ unique: true, columns: ['kind', 'at', 'id'] }))
    expect(await validity(pool)).toEqual(ALL)
  })

  it('tells how many partitions are done', async () => {
    const database = await make()
    const old = await oldSnapshot(database)
    const building = runOneShot(fromPg(database.pool), update())
    await old.holdsUpABuild()
    expect(await inspect(database.pool)).toMatchObject({
      fraction: expect.closeTo(0.98 / 5) as number,
      phase: 'waiting for old snapshots',
      detail: expect.stringMatching(/^0 of 5 partitions done;.* waits for pid/) as string,
    })
    await old.end()
    await building
  })

  const inspect = (pool: pg.Pool) => {
    const database = fromPg(pool)
    return database.transaction((tx) =>
      (update().inspect as NonNullable<ReturnType<typeof update>['inspect']>)(
        { query: (text, values) => database.query(tx, text, values), dialect: 'postgres' },
        {},
      ),
    )
  }

  it('gives the partitions index names that PostgreSQL does not cut', async () => {
    const { pool } = await postgres.freshDatabase()
    const long = 'é'.repeat(31)
    await pool.query(`
      CREATE TABLE "${long}" (id int) PARTITION BY RANGE (id);
      CREATE TABLE "${long}a" PARTITION OF "${long}" FOR VALUES FROM (0) TO (1);
      CREATE TABLE "a${long}" PARTITION OF "${long}" FOR VALUES FROM (1) TO (2);
      CREATE TABLE "b${long}" PARTITION OF "${long}" FOR VALUES FROM (2) TO (3)`)
    const options = { name: 'u', index: `${long}x`, table: long, columns: ['id'] }
    await runOneShot(fromPg(pool), createIndex(options))
    await runOneShot(fromPg(pool), createIndex(options))
    expect(Object.values(await validity(pool))).toEqual([true, true, true, true])
  })
})
