import type { Clock } from '../clock.js'
import type { Database, Query } from '../databases/database.js'
import type { JsonObject } from '../json.js'
import type { Logger } from '../observe/logger.js'
import type { WalSample } from '../pacing/pace.js'
import type { StatementSize } from '../pacing/statement-size.js'
import type { Statistics } from '../pacing/statistics.js'
import type { Tuner } from '../pacing/tuner.js'
import type { Lease } from '../queue/lease.js'
import { encodeProgress } from '../queue/progress.js'
import type { Precedence } from '../queue/fence.js'
import type { QueueStore } from '../queue/queue-store.js'
import { parseProgress } from '../queue/row.js'
import type { BatchResult, HandlerContext, UpdateDefinition } from '../updates/definition.js'
import { InvalidProgressError, InvalidQueueRowError } from '../errors.js'
import type { TransactionLimits } from './transaction-settings.js'

/** Batches in a row without new progress before an update counts as stalled. */
export const STALLED_AFTER = 10

/** What running a batch needs of its surroundings. */
export interface Surroundings<Tx> {
  readonly database: Database<Tx>
  readonly databaseName: string
  readonly store: QueueStore<Tx>
  readonly clock: Clock
  readonly log: Logger
  readonly leaseMs: number
}

/** What this process remembers of an update between batches. */
export interface Work {
  /** The lane that it is of, when the update was split. */
  readonly lane: number | null
  readonly tuner: Tuner
  /** How many items a statement may have while batches are cut into several. */
  readonly statements: StatementSize
  /** The tuner's state as the row has it since our last batch: when the row has another, another runner was there. */
  savedTunerJson: string | null
  statistics: Statistics
  /** Last measured time of COMMIT, in ms: the next sample counts it, for its own isn't over when it is written. */
  commitMs: number
  /** When the last batch ended, on the monotonic clock; null before the first. */
  lastEndMs: number | null
  /** What the next batch will read first, given its size: it rides with BEGIN. */
  ahead: BatchResult<unknown>['ahead'] | undefined
  /** The progress at which the running batch began, for the log of a failure; null before the first. */
  from: JsonObject | null
}

/** What one batch is told. */
export interface BatchPlan {
  readonly lease: Lease
  readonly batchSize: number
  /** The most items of one statement, the rest behind it in ms, and whether its WAL is measured; null while nobody else needs the processor. */
  readonly statements: { readonly size: number; readonly restMs: number; readonly wal: boolean } | null
  readonly targetMs: number
  /** Cancels the batch after this time in its transaction, in ms; undefined lets it take as long as it takes. */
  readonly deadlineMs: number | undefined
  readonly signal: AbortSignal
  readonly limits: TransactionLimits
  /** Why batches are kept apart now, for people; null when they aren't. */
  readonly waitingText: string | null
  /** What this batch must not overtake. */
  readonly precedence: Precedence
}

/** What one committed batch did. */
export interface BatchReport {
  readonly items: number
  readonly durationMs: number
  readonly done: boolean
  /** Ten batches in a row brought nothing new: the update is to be failed. */
  readonly stalled: boolean
  /** The lane that it was a batch of has ended, and perhaps the update with it: nothing is held any more. */
  readonly laneEnded: boolean
  /** Null where it wasn't measured. */
  readonly wal: WalSample | null
}

/** Reads and checks the progress that a row holds. */
export async function openProgress<Progress>(
  definition: UpdateDefinition<never, never>,
  text: string,
): Promise<{ saved: JsonObject; progress: Progress }> {
  const saved = parseProgress(definition.name, text)
  const schema = definition.schema?.['~standard']
  if (!schema) return { saved, progress: JSON.parse(text) as Progress }
  const result = await schema.validate(JSON.parse(text))
  if (result.issues) {
    const issues = result.issues.map(
      (issue) => `${(issue.path ?? []).map(keyOfSegment).join('.') || 'progress'}${messageOfIssue(issue)}`,
    )
    const told = issues.length === 0 ? '' : `: ${issues.join('; ')}`
    throw new InvalidQueueRowError(definition.name, `progress_json doesn't fit its schema${told}`)
  }
  return { saved, progress: result.value as Progress }
}

/**
 * The text to save: the new progress, or the old one when the handler returned none. What is saved must open again, so
 * it is held against the schema before it is committed.
 */
export async function closeProgress(
  definition: UpdateDefinition<never, never>,
  progress: unknown,
  savedText: string,
): Promise<{ text: string; isNew: boolean }> {
  if (progress === undefined) return { text: savedText, isNew: false }
  const text = encodeProgress(definition.name, progress)
  const result = await definition.schema?.['~standard'].validate(JSON.parse(text))
  if (result?.issues) {
    const [issue] = result.issues
    const path = ['progress', ...(issue?.path ?? []).map(keyOfSegment)].join('.')
    const reason = `doesn't fit its schema${issue === undefined ? '' : messageOfIssue(issue)}`
    throw new InvalidProgressError(
      definition.name,
      path,
      reason,
      "Return a progress that the update's `schema` takes, or mend the schema. The batch was rolled back.",
    )
  }
  return { text, isNew: text !== savedText && text !== JSON.stringify(JSON.parse(savedText)) }
}

// A schema of one's own may give issues without a word, or none at all.
function messageOfIssue({ message }: { readonly message?: unknown }): string {
  return typeof message === 'string' && message !== '' ? `: ${message}` : ''
}

// A Standard Schema's path holds keys, or objects that hold one.
function keyOfSegment(segment: unknown): string {
  return String(typeof segment === 'object' && segment !== null && 'key' in segment ? segment.key : segment)
}

export function handlerContext<Tx, Progress>(
  around: Surroundings<Tx>,
  updateName: string,
  plan: BatchPlan,
  progress: Progress,
): HandlerContext<Progress> {
  return {
    progress,
    targetMs: plan.targetMs,
    signal: plan.signal,
    log: around.log,
    update: { name: updateName, databaseName: around.databaseName },
    dialect: around.database.dialect,
  }
}

/** Statistics to go on with. An update that is given up as stalled begins to count anew when it is retried. */
export function withStall(statistics: Statistics): { kept: Statistics; stalled: boolean } {
  const stalled = statistics.idleBatches >= STALLED_AFTER
  return { kept: stalled ? { ...statistics, idleBatches: 0 } : statistics, stalled }
}

/** A query that refuses to go on after the batch was told to give up. */
export function guardedQuery(query: Query, signal: AbortSignal): Query {
  return async (text, values) => {
    signal.throwIfAborted()
    return query(text, values)
  }
}
