/**
 * A backfill on SQLite in a worker thread, while the application's own thread goes on.
 *
 *   npm run build && node examples/sqlite-worker/application.mjs
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { WorkerUpdater } from 'evenkeel/worker'

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

const updater = new WorkerUpdater({ module: new URL('./updates.mjs', import.meta.url), data: { file } })
updater.on('batch:success', ({ items, durationMs }) => console.log(`${items} rows in ${durationMs.toFixed(1)} ms`))

await updater.install()
await updater.enqueue('lowercase_emails')
await updater.start()

// The application goes on: requests are answered, timers fire.
let requests = 0
const serving = setInterval(() => {
  app.prepare('SELECT email_lower FROM users WHERE id = ?').get(1 + (requests % 200_000))
  requests += 1
}, 1)
await updater.waitFor('lowercase_emails')
clearInterval(serving)
await updater.stop()

const { wrong } = app.prepare('SELECT count(*) AS wrong FROM users WHERE email_lower IS NOT lower(email)').get()
app.close()
rmSync(folder, { recursive: true, force: true })
console.log(`requests answered meanwhile: ${requests > 0 ? 'yes' : 'no'}`)
console.log(`rows that are wrong: ${wrong}`)
