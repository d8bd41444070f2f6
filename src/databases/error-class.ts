/**
 * What an error of the database means for a batch:
 * `connection` – the database is away or starting up or read-only: nobody's failure, wait;
 * `lock`, `timeout`, `serialization` – the batch was in somebody's way: try again, smaller;
 * `cancelled` – somebody cancelled the statement;
 * `integrity` – a constraint; `other` – everything else.
 */
export type ErrorClass = 'connection' | 'lock' | 'timeout' | 'serialization' | 'cancelled' | 'integrity' | 'other'

/** Classes after which a smaller batch has a better chance. */
export function wantsSmallerBatch(errorClass: ErrorClass): boolean {
  return (
    errorClass === 'lock' || errorClass === 'timeout' || errorClass === 'serialization' || errorClass === 'cancelled'
  )
}

/** Whether the database says that a table, a column or a schema doesn't exist. */
export function isMissingRelation(error: unknown): boolean {
  const code = databaseErrorCode(error)
  // undefined_table, undefined_column, invalid_schema_name.
  if (code === '42P01' || code === '42703' || code === '3F000') return true
  return code === 'SQLITE_ERROR' && /\bno such (table|column): /.test(messagesOf(error))
}

function messagesOf(error: unknown): string {
  const messages: string[] = []
  for (let current = error; current instanceof Error && messages.length < 5; current = current.cause) {
    messages.push(current.message)
  }
  return messages.join(' ')
}

/** The SQLSTATE or SQLite code of an error or of what caused it, or null. */
export function databaseErrorCode(error: unknown): string | null {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth += 1) {
    const code = (current as { code?: unknown }).code
    // Every SQLSTATE has a digit; EPIPE has none.
    if (typeof code === 'string' && (/^(?=.*\d)[0-9A-Z]{5}$/.test(code) || code.startsWith('SQLITE_'))) return code
  }
  return null
}

/** Reads the class from an SQLSTATE, a SQLite result code or a network error of Node. */
export function classifyError(error: unknown): ErrorClass {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth += 1) {
    const found = classifyOne(current)
    if (found !== 'other') return found
  }
  return 'other'
}

/** `query_timeout` of a `pg` pool is over: its client doesn't wait any more, but the server goes on with the statement. */
export function isReadTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout'
}

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
  'ENETUNREACH',
  'NO_ANSWER',
  'POOL_EXHAUSTED',
])

const SQLSTATES: ReadonlyMap<string, ErrorClass> = new Map<string, ErrorClass>([
  ['57P01', 'connection'], // admin_shutdown
  ['57P02', 'connection'], // crash_shutdown
  ['57P03', 'connection'], // cannot_connect_now: starting up, in recovery
  ['57P05', 'connection'], // idle_session_timeout
  ['25P03', 'timeout'], // idle_in_transaction_session_timeout
  ['25006', 'connection'], // read_only_sql_transaction: this server is a replica now
  ['53300', 'connection'], // too_many_connections
  ['26000', 'connection'], // invalid_sql_statement_name: somebody has deallocated what was prepared on this session
  ['55P03', 'lock'], // lock_not_available
  ['40P01', 'lock'], // deadlock_detected
  ['40001', 'serialization'],
  ['25P04', 'timeout'], // transaction_timeout
])

function classifyOne(error: Error): ErrorClass {
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string') {
    if (NETWORK_CODES.has(code) || code.startsWith('08')) return 'connection'
    const known = SQLSTATES.get(code)
    if (known) return known
    // 57014 is both "canceling statement due to statement timeout" and a cancel by a person or by us.
    if (code === '57014') return /timeout/.test(error.message) ? 'timeout' : 'cancelled'
    if (/^23[0-9A-Z]{3}$/.test(code)) return 'integrity'
    if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'lock'
    if (code.startsWith('SQLITE_CONSTRAINT')) return 'integrity'
    if (code === 'SQLITE_INTERRUPT') return 'cancelled'
  }
  if (isReadTimeout(error)) return 'timeout'
  // `pg` has no code for a connection that ends under a query.
  if (
    /^Connection terminated|^Client has encountered a connection error|^timeout exceeded when trying to connect/.test(
      error.message,
    )
  ) {
    return 'connection'
  }
  return 'other'
}
