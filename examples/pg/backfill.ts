/**
 * A backfill on PostgreSQL, and the unique index behind it, while the application goes on writing. It works in a schema
 * `evenkeel_example`, which it makes and drops.
 *
 *   DATABASE_URL=postgres://localhost/postgres npx jiti examples/pg/backfill.ts
 */
import pg from 'pg'
import { BackgroundUpdater, backfill, createIndex, fixedPace } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'

const SCHEMA = 'evenkeel_example'
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 6 })

// The application's table of 50 000 users.
await pool.query(`
  DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE;
  CREATE SCHEMA ${SCHEMA};
  CREATE TABLE ${SCHEMA}.users (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email TEXT NOT NULL, email_lower TEXT);
  INSERT INTO ${SCHEMA}.users (email) SELECT 'Person.' || n || '@Example.org' FROM generate_series(1, 50000) AS n;
`)

const table = { schema: SCHEMA, name: 'users' }
const lowercaseEmails = backfill({
  name: 'lowercase_emails',
  table,
  set: { email_lower: 'lower(email)' },
  where: 'email_lower IS NULL',
  verify: 'email_lower IS DISTINCT FROM lower(email)',
})
const emailIndex = createIndex({
  name: 'users_email_lower_idx',
  index: 'users_email_lower_key',
  table,
  columns: ['email_lower'],
  unique: true,
  dependsOn: 'lowercase_emails',
})

const updater = new BackgroundUpdater({
  database: fromPg(pool),
  schema: SCHEMA,
  updates: [lowercaseEmails, emailIndex],
  pace: fixedPace({ sleepMs: 100 }),
})
updater.on('update:complete', ({ updateName }) => console.log(`${updateName}: complete`))

await updater.install()
await updater.enqueue(lowercaseEmails)
await updater.enqueue(emailIndex)
await updater.start()

// The application writes meanwhile; new code writes the new column itself.
let written = 0
let writing = true
const traffic = (async () => {
  while (writing) {
    const email = `New.${written}@Example.org`
    await pool.query(`INSERT INTO ${SCHEMA}.users (email, email_lower) VALUES ($1, lower($1))`, [email])
    written += 1
  }
})()

await updater.waitFor('users_email_lower_idx', { timeoutMs: 120_000 })
writing = false
await traffic
await updater.stop()

for (const { name, batches, items, busyMs } of await updater.history()) {
  console.log(`${name}: ${items} rows in ${batches} batches, ${Math.round(busyMs)} ms`)
}
const { rows } = await pool.query<{ wrong: number }>(
  `SELECT count(*)::int AS wrong FROM ${SCHEMA}.users WHERE email_lower IS DISTINCT FROM lower(email)`,
)
const wrong = rows[0]?.wrong
console.log(`${written} sign-ups meanwhile; rows that are wrong: ${wrong}`)

await pool.query(`DROP SCHEMA ${SCHEMA} CASCADE`)
await pool.end()
process.exitCode = wrong === 0 ? 0 : 1
