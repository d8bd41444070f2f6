import { createHash } from 'node:crypto'
import type { QueryResult, Statement } from '../database.js'
import { databaseErrorCode } from '../error-class.js'
import type { PgAnswer, PgClient, PgQuery } from './pg-client.js'

/** Whether `sendTogether` really does on this connection: `pg` can from 8.22 on. */
export function canSendTogether(client: PgClient): boolean {
  return typeof (client as PgInternals).pipeline === 'boolean'
}

/**
 * Sends several statements without waiting in between, and resolves to their answers; the first error of any of them
 * rejects. In a transaction every statement behind a failed one fails too, so a COMMIT at the end commits nothing then.
 * Where that can't be done they go one by one.
 */
export async function sendTogether(
  client: PgClient,
  queries: readonly (string | PgQuery)[],
  onAnswer?: (index: number) => void,
): Promise<PgAnswer[]> {
  const internals = client as PgInternals
  if (!canSendTogether(client)) return oneByOne(client, queries, onAnswer)
  const restore = pipelining(client)
  // One packet instead of one for each statement.
  const stream = internals.connection?.stream
  stream?.cork?.()
  try {
    const underWay = queries.map(async (query, index) => {
      const answer = await client.query(query)
      onAnswer?.(index)
      return answer
    })
    stream?.uncork?.()
    const answers = await Promise.allSettled(underWay)
    return answers.map((answer) => {
      if (answer.status === 'rejected') throw answer.reason
      return answer.value
    })
  } finally {
    restore()
  }
}

const SERVER_CLOCK = 'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms'
// Where the WAL ends, whether that was written to its file already or not.
const CLOCK_AND_WAL = `${SERVER_CLOCK}, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS wal`

/**
 * Sends a statement between two looks at the server's clock, on a connection that can send together; resolves to its
 * answer, and to what it took in the server alone, in ms: null when somebody has set that clock back meanwhile. And, if
 * that is wanted, to the WAL that the whole server wrote meanwhile, in bytes.
 */
export async function sendTimed(
  client: PgClient,
  query: PgQuery,
  { prepare, wal }: { readonly prepare: boolean; readonly wal: boolean },
): Promise<{ readonly answer: PgAnswer; readonly serverMs: number | null; readonly walBytes?: number }> {
  const text = wal ? CLOCK_AND_WAL : SERVER_CLOCK
  const look = { text, values: [], name: prepare ? preparedName(text) : undefined }
  const [before, answer, after] = (await sendTogether(client, [look, query, look])) as [PgAnswer, PgAnswer, PgAnswer]
  const between = (name: 'ms' | 'wal') => {
    const [from, to] = [before, after].map(({ rows }) =>
      Number((rows[0] as Record<string, unknown> | undefined)?.[name]),
    )
    return to! - from!
  }
  const ms = between('ms')
  return { answer, serverMs: ms >= 0 ? ms : null, ...(wal ? { walBytes: between('wal') } : {}) }
}

// Whoever sends together while others still do leaves the client as the first of them found it.
const atWork = new WeakMap<PgClient, { count: number; readonly before: unknown }>()

function pipelining(client: PgInternals): () => void {
  const state = atWork.get(client) ?? { count: 0, before: client.pipeline }
  atWork.set(client, state)
  state.count += 1
  client.pipeline = true
  return () => {
    state.count -= 1
    if (state.count > 0) return
    client.pipeline = state.before
    atWork.delete(client)
  }
}

// What is looked for beside the public methods; where it is missing, it is done without.
interface PgInternals extends PgClient {
  pipeline?: unknown
  readonly connection?: { readonly stream?: { cork?(): void; uncork?(): void } }
}

async function oneByOne(
  client: PgClient,
  queries: readonly (string | PgQuery)[],
  onAnswer?: (index: number) => void,
): Promise<PgAnswer[]> {
  const answers: PgAnswer[] = []
  for (const query of queries) {
    answers.push(await client.query(query))
    onAnswer?.(answers.length - 1)
  }
  return answers
}

/**
 * A statement that has to affect a row is made to fail in the server when it doesn't: its COMMIT is under way already
 * when the answer comes.
 */
export function guarded({ text, orElse }: Statement): string {
  if (orElse === undefined) return text
  return `
WITH affected AS (${text}
RETURNING 1)
SELECT 1 / count(*) AS affected
FROM affected`
}

/** The error of a guarded statement that affected nothing, or the error as it is. */
export function unguarded(error: unknown, statements: readonly Statement[]): unknown {
  if (databaseErrorCode(error) !== DIVISION_BY_ZERO) return error
  return statements.find((statement) => statement.orElse)?.orElse?.() ?? error
}

const DIVISION_BY_ZERO = '22012'

// The engine has a few dozen texts; the bound is for a program that would build them by itself.
const MAX_NAMES = 500
const names = new Map<string, string>()

/** The same name for the same text in every process, for connections are shared by adapters. Undefined: not prepared. */
export function preparedName(text: string): string | undefined {
  const known = names.get(text)
  if (known !== undefined || names.size >= MAX_NAMES) return known
  const name = `evenkeel_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`
  names.set(text, name)
  return name
}

/** An answer in the shape that all drivers share. */
export function toResult<Row>(answer: PgAnswer): QueryResult<Row> {
  return { rows: answer.rows as Row[], rowCount: answer.rowCount ?? answer.rows.length }
}
