import type BetterSqlite3 from 'better-sqlite3'
import type pg from 'pg'

const CREATE = `
  CREATE TABLE bench_progress (
    update_name text PRIMARY KEY,
    progress_json text NOT NULL
  )`

const INSERT = "INSERT INTO bench_progress VALUES ('empty', '{}')"

/** Saves progress by hand with `pg`, as one writes it; `prepared` names the statement, so that the server keeps it. */
export async function byHandWithPg(
  client: pg.ClientBase,
  { prepared }: { readonly prepared: boolean },
): Promise<(batches: number) => Promise<number>> {
  await client.query('DROP TABLE IF EXISTS bench_progress')
  await client.query(CREATE)
  await client.query(INSERT)
  const text = 'UPDATE bench_progress SET progress_json = $1 WHERE update_name = $2'
  const name = prepared ? 'bench_save_progress' : undefined
  return async (batches) => {
    const startedMs = performance.now()
    for (let done = 1; done <= batches; done += 1) {
      await client.query('BEGIN')
      await client.query({ name, text, values: [JSON.stringify({ done, batches }), 'empty'] })
      await client.query('COMMIT')
    }
    return performance.now() - startedMs
  }
}

/** The same with better-sqlite3, whose statements are always prepared. */
export function byHandWithSqlite(database: BetterSqlite3.Database): (batches: number) => number {
  database.exec(CREATE)
  database.exec(INSERT)
  const begin = database.prepare('BEGIN IMMEDIATE')
  const update = database.prepare('UPDATE bench_progress SET progress_json = ? WHERE update_name = ?')
  const commit = database.prepare('COMMIT')
  return (batches) => {
    const startedMs = performance.now()
    for (let done = 1; done <= batches; done += 1) {
      begin.run()
      update.run(JSON.stringify({ done, batches }), 'empty')
      commit.run()
    }
    return performance.now() - startedMs
  }
}
