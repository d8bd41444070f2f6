import { sleepUnlessAborted, systemClock } from '../clock.js'
import type { JsonObject } from '../json.js'
import type { OneShotUpdate } from '../updates/definition.js'
import type { Surroundings } from './work.js'

const LOOK_MS = 1_000

/**
 * Looks from another connection whom a running one-shot waits for in the database, and logs it, once per change. What it
 * returns ends it, without waiting for a look that is under way: that one may wait for the connection of the work itself.
 * A look that fails is left out: the work goes on.
 */
export function watchOneShot<Tx>(
  { database, databaseName, store, log }: Surroundings<Tx>,
  definition: OneShotUpdate<Tx, never>,
  progress: JsonObject,
): () => void {
  const ended = new AbortController()
  const update = definition.name
  const watch = async () => {
    let told: string | undefined
    for (;;) {
      await sleepUnlessAborted(systemClock, LOOK_MS, ended.signal)
      if (ended.signal.aborted) return
      const report = await definition
        .inspect?.({ query: store.read, dialect: database.dialect }, progress)
        .catch(() => undefined)
      if (ended.signal.aborted) return
      if (report === undefined || report.waitsFor === told) continue
      told = report.waitsFor
      const phase = report.phase ?? 'at work'
      if (told === undefined) log.info({ update, database: databaseName }, `update ${update} goes on: ${phase}`)
      else log.warn({ update, database: databaseName, phase }, `update ${update} (${phase}) waits for ${told}`)
    }
  }
  // One connection does everything: a look would wait for what it looks at.
  if (definition.inspect && database.capabilities.concurrentTransactions) void watch().catch(() => {})
  return () => ended.abort()
}
