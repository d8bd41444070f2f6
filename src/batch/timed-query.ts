import type { Clock } from '../clock.js'
import type { Database, Query } from '../databases/database.js'
import type { StatementSize } from '../pacing/statement-size.js'
import type { Measured } from '../updates/definition.js'

/** A query that adds up how long the server works on its statements, in ms; null where that isn't known. */
export interface TimedQuery {
  readonly query: Query
  readonly ms: () => number | null
}

export function timedQuery<Tx>(database: Database<Tx>, tx: Tx): TimedQuery {
  if (database.timedQuery === undefined) {
    return { query: (text, values) => database.query(tx, text, values), ms: () => null }
  }
  const measure = database.timedQuery.bind(database)
  let ms: number | null = 0
  return {
    query: async <Row>(text: string, values?: readonly unknown[]) => {
      const answer = await measure<Row>(tx, text, values)
      ms = ms === null || answer.serverMs === null ? null : ms + answer.serverMs
      return answer
    },
    ms: () => ms,
  }
}

/** Measures statements of a batch, and now and then, before them, what they take without any items. */
export function measuring(sizes: StatementSize, clock: Clock, begin: () => TimedQuery): Measured {
  return async (work, empty) => {
    if (empty !== undefined && sizes.needsEmpty) {
      const timed = begin()
      const startedMs = clock.nowMs()
      await empty(timed.query)
      sizes.empty(timed.ms() ?? clock.nowMs() - startedMs)
    }
    const timed = begin()
    return { value: await work(timed.query), serverMs: timed.ms() }
  }
}
