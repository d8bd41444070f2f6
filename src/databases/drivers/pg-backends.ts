import type { PgClient } from './pg-client.js'
import type { PgPool } from './pg-options.js'

// Of the pool, not of who uses it: `fromPg` may be called once a request, and each would hang a listener on each client.
const known = new WeakMap<PgPool, Set<number>>()

/** The process ids, as the server knows them, of a pool's connections that came to us and haven't ended. */
export function backendsOf(pool: PgPool): ReadonlySet<number> {
  return known.get(pool) ?? new Set()
}

/** Counts a connection's backend among its pool's until it ends: another's may have the number then. */
export function noteBackend(pool: PgPool, client: PgClient): void {
  const { processID } = client as { processID?: number | null }
  if (typeof processID !== 'number') return
  const backends = known.get(pool) ?? new Set()
  known.set(pool, backends)
  if (backends.has(processID)) return
  backends.add(processID)
  client.on('end', () => backends.delete(processID))
}
