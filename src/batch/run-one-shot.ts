import { EvenkeelError } from '../errors.js'
import { afterBatch } from '../pacing/statistics.js'
import type { OneShotContext, OneShotUpdate } from '../updates/definition.js'
import { checkOneShotResult, type CheckedResult } from './batch-result.js'
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
import { owningUp } from './handler-connection.js'

const FINISHED: CheckedResult = { items: 0, progress: undefined, done: true, tune: false }

/** A one-shot ran without an error, and yet the catalogue doesn't show its result. */
export class ResultMissingError extends EvenkeelError {
  constructor(updateName: string) {
    super(
      'RESULT_MISSING',
      `update "${updateName}" ran, but the catalogue shows that its result is missing or not valid`,
      {
        hint: 'Look whether somebody dropped it meanwhile, then retry the update.',
      },
    )
  }
}

/**
 * One run of a one-shot update on a pinned session in autocommit. It is at-least-once: the catalogue is asked before
 * and after, and only what it confirms lets the row go.
 */
export async function runOneShot<Tx>(
  around: Surroundings<Tx>,
  definition: OneShotUpdate<Tx, never>,
  work: Work,
  plan: BatchPlan,
): Promise<BatchReport> {
  const { clock, database, store } = around
  const run = await database.session(
    async (session) => {
      const savedText = await store.fence(session.query, plan.lease)
      const { saved, progress } = await openProgress<never>(definition, savedText)
      work.from = saved
      const startedMs = clock.nowMs()
      const context: OneShotContext<Tx, never> = {
        ...handlerContext(around, definition.name, plan, progress),
        session,
        tx: session.connection,
        query: guardedQuery(session.query, plan.signal),
      }
      const there = (await definition.isDone?.(context)) ?? false
      const result = there
        ? FINISHED
        : checkOneShotResult(
            definition.name,
            await owningUp(definition.name, session.query, async () => definition.run(context)),
          )
      if (!there && result.done && definition.isDone && !(await definition.isDone(context))) {
        throw new ResultMissingError(definition.name)
      }
      return { result, savedText, durationMs: clock.nowMs() - startedMs }
    },
    { signal: plan.signal },
  )

  const { result, durationMs } = run
  const next = await closeProgress(definition, result.progress, run.savedText)
  const idle = !result.done && !next.isNew
  const elapsedMs = work.lastEndMs === null ? durationMs : clock.nowMs() - work.lastEndMs
  const { kept, stalled } = withStall(
    afterBatch(work.statistics, { items: result.items, durationMs, elapsedMs, fraction: null, idle }),
  )
  work.statistics = kept
  work.lastEndMs = clock.nowMs()
  await database.transaction(async (tx) => {
    const query = store.within(tx)
    if (!result.done) {
      const statisticsJson = JSON.stringify(kept)
      const record = {
        progressJson: next.text,
        items: result.items,
        busyMs: durationMs,
        batchSize: null,
        tunerJson: work.savedTunerJson,
        statisticsJson,
      }
      await store.saveBatch(query, plan.lease, record, around.leaseMs)
      return
    }
    // Fenced: somebody who cancelled or took over meanwhile has the last word on the row; the result itself stays.
    await store.finish(query, plan.lease, {
      outcome: 'completed',
      by: plan.lease.owner,
      reason: null,
      progressJson: next.text,
      batches: 1,
      items: result.items,
      busyMs: durationMs,
    })
  })
  return { items: result.items, durationMs, done: result.done, stalled }
}
