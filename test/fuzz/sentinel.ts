import { BackgroundUpdater, type Database } from 'evenkeel'
import { onTestFinished } from 'vitest'

/** Installs our tables and a table that nobody may touch. */
export async function sentinel(database: Database<never>): Promise<Database<never>> {
  onTestFinished(() => database.close())
  if (database.dialect === 'sqlite') {
    await database.session(async ({ query }) => {
      await query('PRAGMA journal_mode = MEMORY')
      await query('PRAGMA synchronous = OFF')
    })
  }
  await new BackgroundUpdater({ database }).install()
  await database.session(async ({ query }) => {
    await query('CREATE TABLE sentinel (id INTEGER PRIMARY KEY, note TEXT)')
    await query("INSERT INTO sentinel VALUES (1, 'untouched')")
  })
  return database
}

/** Every table, index, view and trigger, and what the sentinel holds: an injection would change one of them. */
export async function catalogue(database: Database<never>): Promise<unknown> {
  return database.session(async ({ query }) => {
    const objects =
      database.dialect === 'sqlite'
        ? await query("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
        : await query(
            "SELECT relkind::text AS type, relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1, 2",
          )
    return { objects: objects.rows, sentinel: (await query('SELECT * FROM sentinel')).rows }
  })
}
