import type { Closing, Query, QueryResult, Statement } from '../databases/database.js'
import { pipelinedTransaction } from '../databases/pipelined-transaction.js'
import type { JsonObject } from '../json.js'
import { afterBatch } from '../pacing/statistics.js'
import type { BatchRecord } from '../queue/batch-record.js'
import { MAX_INTEGER } from '../queue/columns.js'
import { readFence } from '../queue/fence.js'
import type { BatchedUpdate, PrepareContext } from '../updates/definition.js'
import { callHandler } from './call-handler.js'
import { Deadline } from './deadline.js'
import { closeLane } from './lane-closing.js'
import { owningUp } from './handler-connection.js'
import { namedSession } from './named-session.js'
import { OvertakenError } from './overtaken.js'
import { durableCommit, transactionSettings } from './transaction-settings.js'
import {
  guardedQuery,
  handlerContext,
  openProgress,
  type BatchPlan,
  type BatchReport,
  type Surroundings,
  type Work,
  withStall,
} from './work.js'

/**
 * One batch of a transactional update: fence, handler, progress, commit, all in one transaction. Whatever throws rolls
 * everything back; after the commit nothing can fail any more.
 *
 * On PostgreSQL that is one round trip for BEGIN, settings and fence, those of the handler, and one for progress and
 * COMMIT.
 */
export async function runTransaction<Tx>(
  around: Surroundings<Tx>,
  definition: BatchedUpdate<Tx, never>,
  work: Work,
  plan: BatchPlan,
): Promise<BatchReport> {
  const { clock, database, store } = around
  const prepared = await prepare(around, definition, plan)
  let startedMs = 0
  let fencedMs = 0
  let writtenMs = 0
  // What was measured counts when it is committed: the batch of a lane that was divided meanwhile is run anew.
  let committed = () => {}
  const deadline = new Deadline(definition.name, plan.deadlineMs)
  const signal = deadline.signal === null ? plan.signal : AbortSignal.any([plan.signal, deadline.signal])
  const settings = transactionSettings(database.dialect, definition.name, plan.limits)
  const ahead = work.ahead?.(plan.batchSize, plan.statements?.size ?? plan.batchSize) ?? null
  const opening = [...settings, store.fenceStatement(plan.lease, plan.precedence), ...(ahead === null ? [] : [ahead])]
  const report = await pipelinedTransaction(
    database,
    opening,
    async (tx, opened): Promise<Closing<BatchReport>> => {
      const fence = readFence(opened[settings.length] ?? NOTHING, plan.lease, plan.precedence)
      if (fence.overtaken) throw new OvertakenError(definition.name)
      const call = () =>
        callHandler(around, definition, work, {
          tx,
          fence,
          plan,
          signal,
          prepared,
          ahead: ahead === null ? null : { statement: ahead, answer: opened[settings.length + 1] ?? NOTHING },
          liftDeadline: () => deadline.stop(),
        })
      const { result, progressText, progressIsNew, restedMs, timed } = await (database.runHandler?.(call) ?? call())

      const handledMs = clock.nowMs()
      const durationMs = handledMs - startedMs + work.commitMs
      if (result.tune) {
        work.tuner.record({
          items: result.items,
          durationMs: durationMs - restedMs,
          overheadMs: fencedMs - startedMs + work.commitMs + result.overheadMs + (timed?.overheadMs ?? 0),
        })
        // A batch in one piece tells nothing of small statements.
        if (plan.statements !== null && result.statement !== undefined) work.statements.record(result.statement)
      }
      const measured = afterBatch(work.statistics, {
        items: result.items,
        durationMs,
        elapsedMs: work.lastEndMs === null ? durationMs : handledMs - work.lastEndMs,
        fraction: definition.report?.(JSON.parse(progressText) as JsonObject).fraction ?? null,
        idle: !result.done && !progressIsNew,
      })
      const { kept, stalled } = withStall(measured)
      const record = {
        progressJson: progressText,
        items: result.items,
        busyMs: durationMs,
        batchSize: Math.min(plan.batchSize, MAX_INTEGER),
        tunerJson: JSON.stringify(work.tuner.snapshot()),
        statisticsJson: JSON.stringify(kept),
        waitingText: plan.waitingText,
      }
      const { closing, done } =
        fence.lane === null
          ? { closing: close(around, plan, record, result.done), done: result.done }
          : await closeLane(around, definition, store.within(tx), plan, {
              record,
              fenced: fence.lane,
              laneEnded: result.done,
            })
      committed = () => {
        work.statistics = kept
        work.savedTunerJson = record.tunerJson
        work.ahead = result.ahead
      }
      writtenMs = clock.nowMs()
      const laneEnded = fence.lane !== null && result.done
      const wal = timed?.wal && result.statement ? { ...timed.wal, items: result.statement.items } : null
      return {
        result: { items: result.items, durationMs: writtenMs - startedMs, done, stalled, laneEnded, wal },
        closing,
        durable: done,
      }
    },
    {
      signal,
      asynchronousCommit: plan.limits.asynchronousCommit,
      // Waiting for a connection isn't batch time.
      onBegin: () => {
        startedMs = clock.nowMs()
        deadline.start()
      },
      onAnswer: (index) => {
        if (index === settings.length) fencedMs = clock.nowMs()
      },
    },
  )
    .catch((error: unknown) => {
      if (!(error instanceof OvertakenError)) {
        // It is sent before the handler could mend anything: after a change of the schema it would fail every batch.
        work.ahead = undefined
        definition.forgetSchema?.()
      }
      throw deadline.explain(error)
    })
    .finally(() => deadline.stop())
  committed()
  work.lastEndMs = clock.nowMs()
  work.commitMs = work.lastEndMs - writtenMs
  return { ...report, durationMs: report.durationMs + work.commitMs }
}

/** The last statements of a batch. */
function close<Tx>(
  { database, store, leaseMs }: Surroundings<Tx>,
  { lease, limits }: BatchPlan,
  record: BatchRecord,
  done: boolean,
): readonly Statement[] {
  if (!done) return store.saving(lease, record, leaseMs)
  const { progressJson, items, busyMs } = record
  return [
    ...durableCommit(database.dialect, limits),
    ...store.finishing(lease, {
      outcome: 'completed',
      by: lease.owner,
      reason: null,
      progressJson,
      batches: 1,
      items,
      busyMs,
    }),
  ]
}

const NOTHING: QueryResult<never> = { rows: [], rowCount: 0 }

async function prepare<Tx>(
  around: Surroundings<Tx>,
  definition: BatchedUpdate<Tx, never>,
  plan: BatchPlan,
): Promise<unknown> {
  if (!definition.prepare) return undefined
  const read: Query = (text, values) =>
    around.database.session((session) => session.query(text, values), { signal: plan.signal })
  const savedText = await around.store.fence(read, plan.lease)
  const { progress } = await openProgress<never>(definition, savedText)
  const context: PrepareContext<never> = {
    ...handlerContext(around, definition.name, plan, progress),
    batchSize: plan.batchSize,
    query: guardedQuery(read, plan.signal),
    session: (work) =>
      around.database.session((session) => namedSession(session, around.database.dialect, definition.name, work), {
        signal: plan.signal,
      }),
  }
  return owningUp(definition.name, around.store.read, async () => definition.prepare?.(context))
}
