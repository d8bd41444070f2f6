import type { Database } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import type pg from 'pg'
import { OUR_CONTENT, setUpScript, sorted, type Stage } from './stage.js'

/** A PostgreSQL database, whose schema `public` is made anew for every run: a fifth of the time that a database takes. */
export function postgresStage(pool: pg.Pool, url: string): Stage {
  const rows = async (sql: string) => (await pool.query<Record<string, unknown>>(sql)).rows
  return {
    dialect: 'postgres',
    database: url,
    async reset(scenario) {
      await endOthers(pool)
      await pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
      await pool.query(setUpScript(scenario, 'postgres'))
    },
    open: () => fromPg(pool) as unknown as Database<never>,
    expireLeases: async () => {
      // What a dead process has sent is still done: it may be the claim of a lease.
      while ((await pool.query(OTHERS)).rowCount !== 0);
      for (const table of ['background_updates', 'background_update_lanes']) {
        await pool.query(`UPDATE ${table} SET lease_expires_at = '2000-01-01' WHERE lease_token IS NOT NULL`)
      }
    },
    rows,
    async content() {
      const tables = await rows(
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1",
      )
      const found: [string, string[]][] = []
      for (const table of tables.map(({ name }) => String(name))) {
        if (table.startsWith('background_') && !(table in OUR_CONTENT)) continue
        found.push([table, sorted(await rows(OUR_CONTENT[table] ?? `SELECT * FROM "${table}"`))])
      }
      return { rows: Object.fromEntries(found), schema: sorted(await rows(SCHEMA)) }
    },
  }
}

// A backend of a dead process may still be at work.
async function endOthers(pool: pg.Pool): Promise<void> {
  while ((await pool.query(`SELECT pg_terminate_backend(pid) FROM (${OTHERS}) AS others`)).rowCount !== 0);
}

const OTHERS = `
SELECT pid
FROM pg_stat_activity
WHERE datname = current_database()
  AND backend_type = 'client backend'
  AND application_name <> current_setting('application_name')`

const SCHEMA = `
SELECT 'index' AS type, pg_get_indexdef(indexrelid) AS definition, indisvalid AS valid
FROM pg_index
JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'constraint', conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid), convalidated
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'column', attrelid::regclass || '.' || attname, attnotnull
FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped`
