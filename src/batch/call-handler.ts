import { isDeepStrictEqual } from 'node:util'
import { sleepUnlessAborted } from '../clock.js'
import type { Query, QueryResult, Statement } from '../databases/database.js'
import { commentedQuery } from '../databases/statement-comment.js'
import type { Fence } from '../queue/fence.js'
import { quarantineOf } from '../queue/quarantine.js'
import type { BatchContext, BatchedUpdate } from '../updates/definition.js'
import { checkBatchResult, type CheckedResult } from './batch-result.js'
import { owningUp } from './handler-connection.js'
import { TimedStatements } from './timed-statements.js'
import { closeProgress, guardedQuery, openProgress, type BatchPlan, type Surroundings, type Work } from './work.js'

/** What a handler is called with, inside the transaction of its batch. */
export interface HandlerCall<Tx> {
  readonly tx: Tx
  readonly fence: Fence
  readonly plan: BatchPlan
  /** The plan's, or the batch's deadline. */
  readonly signal: AbortSignal
  /** What `prepare` returned. */
  readonly prepared: unknown
  /** A query that the handler will ask first, with its answer, which came with that of BEGIN. */
  readonly ahead: { readonly statement: Statement; readonly answer: QueryResult<never> } | null
  readonly liftDeadline: () => void
}

/** What a handler has done, checked. */
export interface Handled {
  readonly result: CheckedResult
  readonly progressText: string
  readonly progressIsNew: boolean
  /** How long the batch has rested between statements, in ms. */
  readonly restedMs: number
  /** Null when its statements weren't timed one by one. */
  readonly timed: Pick<TimedStatements<never>, 'overheadMs' | 'wal'> | null
}

/** Opens the progress, calls the handler and closes what it returns. Whatever the author's code does happens in here. */
export async function callHandler<Tx>(
  around: Surroundings<Tx>,
  definition: BatchedUpdate<Tx, never>,
  work: Work,
  { tx, fence, plan, signal, prepared, ahead, liftDeadline }: HandlerCall<Tx>,
): Promise<Handled> {
  const { clock, database, databaseName, store, log } = around
  const { name } = definition
  const { saved, progress } = await openProgress<never>(definition, fence.progressJson)
  work.from = saved
  const { statements } = plan
  const timed = statements === null ? null : new TimedStatements(database, tx, clock, statements.wal)
  const answered = answerFirst(ahead)
  const ofBatch = (own: Query) => answered(guardedQuery(commentedQuery(own, name, database.dialect), signal))
  const query = ofBatch(store.within(tx))
  let restedMs = 0
  // Spelled out: spreading an object into one with methods costs more than the rest of an empty batch's JavaScript.
  const context: BatchContext<Tx, never, never> = {
    progress,
    targetMs: plan.targetMs,
    signal,
    log,
    update: { name, databaseName },
    dialect: database.dialect,
    tx,
    batchSize: plan.batchSize,
    statementSize: statements?.size ?? plan.batchSize,
    rest: async () => {
      // On the way there and back the server has nothing to do for us: that is a rest as well.
      const restMs = (statements?.restMs ?? 0) - (timed?.wayMs ?? 0)
      if (restMs <= 0) return
      const fromMs = clock.nowMs()
      await sleepUnlessAborted(clock, restMs, signal)
      restedMs += clock.nowMs() - fromMs
    },
    measured:
      timed === null
        ? async (statement) => ({ value: await statement(query), serverMs: null })
        : timed.measured(work.statements, ofBatch),
    prepared: prepared as never,
    query,
    liftDeadline,
    quarantine: quarantineOf(query, store.tables, name, fence.lane !== null),
  }
  const result = checkBatchResult(
    name,
    await owningUp(name, store.within(tx), async () =>
      fence.lane === null ? definition.batch(context) : definition.lanes?.batch(context),
    ),
  )
  signal.throwIfAborted()
  const next = await closeProgress(definition, result.progress, fence.progressJson)
  return { result, progressText: next.text, progressIsNew: next.isNew, restedMs, timed }
}

/** Answers the first query with what was read ahead, when it is that very statement; everything else is asked. */
function answerFirst(ahead: HandlerCall<unknown>['ahead']): (query: Query) => Query {
  if (ahead === null) return (query) => query
  const { statement, answer } = ahead
  let first = true
  return (query) => async (text, values) => {
    const fits = first && text === statement.text && isDeepStrictEqual(values ?? [], statement.values ?? [])
    first = false
    return fits ? answer : query(text, values)
  }
}
