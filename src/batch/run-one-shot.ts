import { readFence } from '../queue/fence.js'
import { pipelinedTransaction } from '../databases/pipelined-transaction.js'
import type { Session } from '../databases/database.js'
import { EvenkeelError } from '../errors.js'
import type { JsonObject } from '../json.js'
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
import { namedSession } from './named-session.js'
import { watchOneShot } from './watch-one-shot.js'
import { OvertakenError } from './overtaken.js'

const FINISHED: CheckedResult = {
  items: 0,
  progress: undefined,
  done: true,
  tune: false,
  overheadMs: 0,
  ahead: undefined,
  statement: undefined,
}

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

/** A one-shot update came to a pooler in transaction mode: its settings and locks would be another session's. */
export class SessionNotPinnedError extends EvenkeelError {
  constructor(updateName: string) {
    super(
      'SESSION_NOT_PINNED',
      `update "${updateName}" needs a session of its own, and a pooler in transaction mode stands before the server`,
      {
        hint: 'Give a pool that reaches the server itself, `fromPg(pool, { transactionPooler: true, direct })`, then retry the update.',
        permanent: true,
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
    async (unnamed) => {
      if ((await unnamed.isPinned?.()) === false) throw new SessionNotPinnedError(definition.name)
      const { text, values } = store.fenceStatement(plan.lease, plan.precedence)
      const fence = readFence(await unnamed.query(text, values), plan.lease, plan.precedence)
      if (fence.overtaken) throw new OvertakenError(definition.name)
      const savedText = fence.progressJson
      const { saved, progress } = await openProgress<never>(definition, savedText)
      work.from = saved
      const startedMs = clock.nowMs()
      const result = await namedSession(unnamed, database.dialect, definition.name, (session) =>
        runOnSession(around, definition, plan, session, progress, saved),
      )
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
  // Fenced: somebody who cancelled or took over meanwhile has the last word on the row; the result itself stays.
  const closing = result.done
    ? store.finishing(plan.lease, {
        outcome: 'completed',
        by: plan.lease.owner,
        reason: null,
        progressJson: next.text,
        batches: 1,
        items: result.items,
        busyMs: durationMs,
      })
    : store.saving(
        plan.lease,
        {
          progressJson: next.text,
          items: result.items,
          busyMs: durationMs,
          batchSize: null,
          tunerJson: work.savedTunerJson,
          statisticsJson: JSON.stringify(kept),
          waitingText: null,
        },
        around.leaseMs,
      )
  // Without a limit of its own: what took hours isn't given up because somebody has locked the row for a second.
  await pipelinedTransaction(database, [], async () => ({ result: undefined, closing }), { signal: plan.signal })
  return { items: result.items, durationMs, done: result.done, stalled, laneEnded: false, wal: null }
}

// Looks, works, looks again, while somebody looks whom it waits for.
async function runOnSession<Tx>(
  around: Surroundings<Tx>,
  definition: OneShotUpdate<Tx, never>,
  plan: BatchPlan,
  session: Session<Tx>,
  progress: never,
  saved: JsonObject,
): Promise<CheckedResult> {
  const context: OneShotContext<Tx, never> = {
    ...handlerContext(around, definition.name, plan, progress),
    session,
    tx: session.connection,
    query: guardedQuery(session.query, plan.signal),
  }
  if (await definition.isDone?.(context)) return FINISHED
  const unwatch = watchOneShot(around, definition, saved)
  const returned = await owningUp(definition.name, session.query, async () => definition.run(context)).finally(unwatch)
  const result = checkOneShotResult(definition.name, returned)
  if (result.done && definition.isDone && !(await definition.isDone(context))) {
    throw new ResultMissingError(definition.name)
  }
  return result
}
