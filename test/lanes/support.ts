import type pg from 'pg'
import { BackgroundUpdater, noPace, type Database, type UpdaterEvents, type UpdaterOptions } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { expect, onTestFinished } from 'vitest'
import type { TestDatabase } from '../support/postgres.js'

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** An updater over a pool of its own, as another process would have it; stopped with the test. */
export function updaterOn(
  database: TestDatabase,
  options: Omit<UpdaterOptions<never>, 'database'>,
): BackgroundUpdater<never> {
  const updater = new BackgroundUpdater<never>({
    pace: noPace(),
    pollMs: 20,
    logger: SILENT,
    ...options,
    database: fromPg(database.openPool({ max: 20 })) as unknown as Database<never>,
  })
  onTestFinished(() => updater.stop({ graceMs: 0 }))
  return updater
}

/** A table `walked` with this key, filled by `rows`, in which every change of a row counts itself. */
export async function countedTable(pool: pg.Pool, columns: string, key: string, rows: string): Promise<void> {
  await pool.query(`
    CREATE TABLE walked (${columns}, done INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (${key}));
    CREATE FUNCTION count_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
    BEGIN
      NEW.done := OLD.done + 1;
      RETURN NEW;
    END $$;
    CREATE TRIGGER count_change BEFORE UPDATE ON walked FOR EACH ROW EXECUTE FUNCTION count_change();
    ${rows}`)
}

/** Every row of `walked` was changed exactly once. */
export async function expectEachRowOnce(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query('SELECT done, count(*)::int AS rows FROM walked GROUP BY done')
  expect(rows.map(({ done }: { done: number }) => done)).toEqual([1])
}

/** Collects the lanes of which batches were committed. */
export function lanesUsed(...updaters: readonly BackgroundUpdater<never>[]): Set<number | undefined> {
  const used = new Set<number | undefined>()
  const note = ({ lane }: UpdaterEvents['batch:success']) => used.add(lane)
  for (const updater of updaters) updater.on('batch:success', note)
  return used
}

export interface LaneOfTable {
  lane: number
  finished: boolean
  version: number
  items: number
  owner: string | null
  progress: { first: string[]; lower?: string[]; end: string[]; walked: number; estimatedRows: number }
}

/** The rows of our table of lanes. */
export async function lanesInTable(pool: pg.Pool): Promise<LaneOfTable[]> {
  const { rows } = await pool.query<LaneOfTable>(`
    SELECT lane, finished, version, items::int AS items, lease_owner AS owner, progress_json::json AS progress
    FROM background_update_lanes
    ORDER BY lane`)
  return rows
}
