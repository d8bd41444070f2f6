import type { JsonObject } from '../json.js'
import { afterBatch } from '../pacing/statistics.js'
import { quarantineOf } from '../queue/quarantine.js'
import type { BatchContext, BatchedUpdate, PrepareContext } from '../updates/definition.js'
import { checkBatchResult } from './batch-result.js'
import { Deadline } from './deadline.js'
import { owningUp } from './handler-connection.js'
import {
  closeProgress,
  guardedQuery,
  handlerContext,
  openProgress,
  type BatchPlan,
  type BatchReport,
  type Surroundings,
  type Work,
  withStall,
} from './work.js'

// The range of the column batch_size.
const MAX_INTEGER = 2 ** 31 - 1

/**
 * One batch of a transactional update: fence, handler, progress, commit, all in one transaction. Whatever throws rolls
 * everything back; after the commit nothing can fail any more.
 */
export async function runTransaction<Tx>(
  around: Surroundings<Tx>,
  definition: BatchedUpdate<Tx, never>,
  work: Work,
  plan: BatchPlan,
): Promise<BatchReport> {
  const { clock, database, store } = around
  const prepared = await prepare(around, definition, plan)
  let writtenMs = 0
  const deadline = new Deadline(definition.name, plan.deadlineMs)
  const signal = AbortSignal.any([plan.signal, deadline.signal])
  // From inside the transaction: waiting for a connection isn't batch time.
  const report = await database
    .transaction(
      async (tx): Promise<BatchReport> => {
        const startedMs = clock.nowMs()
        deadline.start()
        const query = guardedQuery(store.within(tx), signal)
        const savedText = await store.fence(query, plan.lease)
        const { saved, progress } = await openProgress<never>(definition, savedText)
        work.from = saved
        const fencedMs = clock.nowMs()

        const context: BatchContext<Tx, never, never> = {
          ...handlerContext(around, definition.name, { ...plan, signal }, progress),
          tx,
          batchSize: plan.batchSize,
          prepared: prepared as never,
          query,
          liftDeadline: () => deadline.stop(),
          quarantine: quarantineOf(query, store.tables, definition.name),
        }
        const result = checkBatchResult(
          definition.name,
          await owningUp(definition.name, store.within(tx), async () => definition.batch(context)),
        )
        signal.throwIfAborted()

        const next = await closeProgress(definition, result.progress, savedText)
        const handledMs = clock.nowMs()
        const durationMs = handledMs - startedMs + work.commitMs
        if (result.tune) {
          work.tuner.record({ items: result.items, durationMs, overheadMs: fencedMs - startedMs + work.commitMs })
        }
        const idle = !result.done && !next.isNew
        const measured = afterBatch(work.statistics, {
          items: result.items,
          durationMs,
          elapsedMs: work.lastEndMs === null ? durationMs : handledMs - work.lastEndMs,
          fraction: definition.report?.(JSON.parse(next.text) as JsonObject).fraction ?? null,
          idle,
        })
        const { kept, stalled } = withStall(measured)
        if (result.done) {
          await store.finish(query, plan.lease, {
            outcome: 'completed',
            by: plan.lease.owner,
            reason: null,
            progressJson: next.text,
            batches: 1,
            items: result.items,
            busyMs: durationMs,
          })
        } else {
          work.savedTunerJson = JSON.stringify(work.tuner.snapshot())
          const record = {
            progressJson: next.text,
            items: result.items,
            busyMs: durationMs,
            batchSize: Math.min(plan.batchSize, MAX_INTEGER),
            tunerJson: work.savedTunerJson,
            statisticsJson: JSON.stringify(kept),
          }
          await store.saveBatch(query, plan.lease, record, around.leaseMs)
        }
        work.statistics = kept
        writtenMs = clock.nowMs()
        return { items: result.items, durationMs: writtenMs - startedMs, done: result.done, stalled }
      },
      { signal },
    )
    .catch((error: unknown) => {
      throw deadline.explain(error)
    })
    .finally(() => deadline.stop())
  work.lastEndMs = clock.nowMs()
  work.commitMs = work.lastEndMs - writtenMs
  return { ...report, durationMs: report.durationMs + work.commitMs }
}

async function prepare<Tx>(
  around: Surroundings<Tx>,
  definition: BatchedUpdate<Tx, never>,
  plan: BatchPlan,
): Promise<unknown> {
  if (!definition.prepare) return undefined
  const savedText = await around.database.session((session) => around.store.fence(session.query, plan.lease))
  const { progress } = await openProgress<never>(definition, savedText)
  const context: PrepareContext<never> = {
    ...handlerContext(around, definition.name, plan, progress),
    batchSize: plan.batchSize,
    query: guardedQuery(around.store.read, plan.signal),
    session: (work) => around.database.session(work, { signal: plan.signal }),
  }
  return owningUp(definition.name, around.store.read, async () => definition.prepare?.(context))
}
