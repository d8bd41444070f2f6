/** The process of `inNode`: runs a foreground and prints its log as pgbench writes it. */
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { seededRandom, type Random } from '../../tuner/random.js'
import { sayReady, scriptInput } from '../../measure/run-script.js'
import { SUBJECT } from '../../postgres/subject.js'
import type { LoadRequest } from './load.js'
import { TPCB_SCALE } from './tpcb-tables.js'

const [url, request] = scriptInput<[string, LoadRequest]>()
const random = seededRandom(request.seed)
sayReady()
const started = Date.now()
const startedMs = performance.now()
const endMs = startedMs + request.seconds * 1_000
// Invariant: when the next transaction is due; one schedule for all clients.
let nextMs = startedMs
const log: string[] = []

await Promise.all(Array.from({ length: request.clients }, (_, client) => runClient(client)))
process.stdout.write(`${log.join('\n')}\n`)

async function runClient(client: number): Promise<void> {
  const connection = new pg.Client({ connectionString: url })
  await connection.connect()
  for (let number = 0; ; number += 1) {
    const dueMs = request.rate === null ? performance.now() : nextDue(request.rate)
    if (dueMs >= endMs) break
    if (dueMs > performance.now()) await delay(dueMs - performance.now())
    await (request.script === 'same' ? sameTable(connection) : tpcb(connection))
    const nowMs = performance.now()
    const epochMs = started + nowMs - startedMs
    const fields = [client, number, (nowMs - dueMs) * 1_000, 0, Math.floor(epochMs / 1_000), (epochMs % 1_000) * 1_000]
    log.push(fields.map(Math.round).join(' '))
  }
  await connection.end()
}

// Gaps of an exponential distribution: arrivals that know nothing of each other.
function nextDue(rate: number): number {
  const due = nextMs
  nextMs += (-Math.log(1 - random.uniform()) / rate) * 1_000
  return due
}

function sameTable(connection: pg.Client) {
  const text = `UPDATE ${SUBJECT} SET touched = touched + 1 WHERE id = $1`
  return connection.query({ name: 'same', text, values: [between(random, 1, request.rows)] })
}

/** pgbench's built-in script `tpcb-like`. */
async function tpcb(connection: pg.Client): Promise<void> {
  const account = between(random, 1, 100_000 * TPCB_SCALE)
  const branch = between(random, 1, TPCB_SCALE)
  const teller = between(random, 1, 10 * TPCB_SCALE)
  const delta = between(random, -5_000, 5_000)
  const statement = (name: string, text: string, values: readonly number[]) =>
    connection.query({ name, text, values: [...values] })
  await connection.query('BEGIN')
  await statement('a', 'UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2', [delta, account])
  await statement('s', 'SELECT abalance FROM pgbench_accounts WHERE aid = $1', [account])
  await statement('t', 'UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2', [delta, teller])
  await statement('b', 'UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2', [delta, branch])
  await statement(
    'h',
    'INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)',
    [teller, branch, account, delta],
  )
  await connection.query('COMMIT')
}

function between(source: Random, least: number, most: number): number {
  return least + Math.floor(source.uniform() * (most - least + 1))
}
