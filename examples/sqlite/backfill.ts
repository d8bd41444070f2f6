/**
 * A backfill on SQLite, and the unique index behind it, while the application goes on writing.
 *
 *   npx jiti examples/sqlite/backfill.ts
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { BackgroundUpdater, backfill, createIndex, fixedPace } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'

const folder = mkdtempSync(path.join(tmpdir(), 'evenkeel-'))
const file = path.join(folder, 'app.db')

// The application's own connection, and its table of 200 000 users.
const app = new Database(file)
app.pragma('journal_mode = WAL')
app.pragma('busy_timeout = 5000')
app.exec(`
  CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, email_lower TEXT);
  WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 200000)
  INSERT INTO users (email) SELECT 'Person.' || n || '@Example.org' FROM numbers;
`)

const lowercaseEmails = backfill({
  name: 'lowercase_emails',
  table: 'users',
  set: { email_lower: 'lower(email)' },
  where: 'email_lower IS NULL',
  verify: 'email_lower IS NOT lower(email)',
})
const emailIndex = createIndex({
  name: 'users_email_lower_idx',
  index: 'users_email_lower_key',
  table: 'users',
  columns: ['email_lower'],
  unique: true,
  dependsOn: 'lowercase_emails',
})

// A connection of its own: the file's name, not the application's handle.
const database = fromBetterSqlite3(file)
const updater = new BackgroundUpdater({
  database,
  updates: [lowercaseEmails, emailIndex],
  pace: fixedPace({ sleepMs: 1 }),
})
updater.on('update:complete', ({ updateName }) => console.log(`${updateName}: complete`))

await updater.install()
await updater.enqueue(lowercaseEmails)
await updater.enqueue(emailIndex)
await updater.start()

// The application writes meanwhile; new code writes the new column itself.
const signUp = app.prepare('INSERT INTO users (email, email_lower) VALUES (?, lower(?))')
let written = 0
const traffic = setInterval(() => {
  const email = `New.${written}@Example.org`
  signUp.run(email, email)
  written += 1
}, 5)

await updater.waitFor('users_email_lower_idx', { timeoutMs: 60_000 })
clearInterval(traffic)
await updater.stop()

for (const { name, batches, items, busyMs } of await updater.history()) {
  console.log(`${name}: ${items} rows in ${batches} batches, ${Math.round(busyMs)} ms`)
}
const wrong = app.prepare('SELECT count(*) FROM users WHERE email_lower IS NOT lower(email)').pluck().get()
console.log(`${written} sign-ups meanwhile; rows that are wrong: ${String(wrong)}`)

await database.close()
app.close()
rmSync(folder, { recursive: true })
process.exitCode = wrong === 0 ? 0 : 1
