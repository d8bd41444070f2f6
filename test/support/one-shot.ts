import type { Database, Query, Session } from '../../src/databases/database.js'
import type { JsonObject } from '../../src/json.js'
import type { OneShotContext, OneShotUpdate } from '../../src/updates/definition.js'

/** What the run loop does with a one-shot update, without the queue: check, look, run until done, look again. */
export async function runOneShot<Tx>(
  database: Database<Tx>,
  update: OneShotUpdate<unknown, JsonObject>,
  options: { signal?: AbortSignal; wrap?: (query: Query) => Query; log?: (message: string) => void } = {},
): Promise<void> {
  const signal = options.signal ?? new AbortController().signal
  await database.session(
    async (session) => {
      const query = options.wrap ? options.wrap(session.query) : session.query
      await update.check?.({ query, dialect: database.dialect })
      let progress: JsonObject = {}
      for (;;) {
        const context = contextOf(database, update, { ...session, query }, progress, signal, options.log)
        if (await update.isDone?.(context)) return
        const result = await update.run(context)
        progress = (result?.progress as JsonObject | undefined) ?? progress
        if (result?.done === false) continue
        if (await update.isDone?.(contextOf(database, update, { ...session, query }, progress, signal))) return
        throw new Error('run() ended, and isDone() says that it is not done')
      }
    },
    { signal },
  )
}

function contextOf(
  database: Database<never> | Database<unknown>,
  update: OneShotUpdate<unknown, JsonObject>,
  session: Session<unknown>,
  progress: JsonObject,
  signal: AbortSignal,
  log: (message: string) => void = () => {},
): OneShotContext<unknown, JsonObject> {
  const write = (_details: object, message: string) => log(message)
  return {
    session,
    tx: session.connection,
    query: (text, values) => {
      signal.throwIfAborted()
      return session.query(text, values)
    },
    progress,
    targetMs: 100,
    signal,
    log: { debug: write, info: write, warn: write, error: write },
    update: { name: update.name, databaseName: 'main' },
    dialect: database.dialect,
  }
}

/** A process that dies after its `last`-th statement: from then on every statement fails. */
export function crashAfter(last: number): { wrap: (query: Query) => Query; crashed: () => boolean } {
  let count = 0
  return {
    crashed: () => count > last,
    wrap:
      (query) =>
      async (...statement) => {
        count += 1
        if (count > last) throw new Error('crashed')
        return query(...statement)
      },
  }
}
