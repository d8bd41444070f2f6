/** One process that reads or writes a SQLite file at a fixed rate and prints a log as pgbench writes it. */
import BetterSqlite3 from 'better-sqlite3'
import { sayReady, scriptInput } from '../../measure/run-script.js'
import { SUBJECT, type SqliteShape } from '../../sqlite/subject.js'
import { seededRandom } from '../../tuner/random.js'

/** What the process is told. */
export interface SqliteLoad {
  readonly file: string
  readonly shape: SqliteShape
  readonly does: 'write' | 'read'
  readonly rate: number
  readonly seconds: number
  readonly seed: number
}

const { file, shape, does, rate, seconds, seed } = scriptInput<SqliteLoad>()
const random = seededRandom(seed)
// As long as it takes: a writer that gives up would look fast.
const database = new BetterSqlite3(file, { timeout: 60_000 })
const write = database.prepare<[number]>(`UPDATE ${SUBJECT} SET touched = touched + 1 WHERE id = ?`)
const read = database.prepare<[number]>(`SELECT * FROM ${SUBJECT} WHERE id >= ? ORDER BY id LIMIT 20`)
const sleeper = new Int32Array(new SharedArrayBuffer(4))

sayReady()
const epochMs = Date.now()
const startedMs = performance.now()
const log: string[] = []
for (let dueMs = startedMs; dueMs < startedMs + seconds * 1_000;) {
  // Nothing else happens in this process, so it may sleep itself: a timer would be up to a millisecond late.
  const earlyMs = dueMs - performance.now()
  if (earlyMs > 0) Atomics.wait(sleeper, 0, 0, earlyMs)
  const id = 1 + Math.floor(random.uniform() * shape.rows)
  if (does === 'write') write.run(id)
  else read.all(id)
  const nowMs = performance.now()
  const endMs = epochMs + nowMs - startedMs
  const fields = [0, log.length, (nowMs - dueMs) * 1_000, 0, Math.floor(endMs / 1_000), (endMs % 1_000) * 1_000]
  log.push(fields.map(Math.round).join(' '))
  dueMs += (-Math.log(1 - random.uniform()) / rate) * 1_000
}
database.close()
process.stdout.write(`${log.join('\n')}\n`)
