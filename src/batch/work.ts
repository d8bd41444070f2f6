import type { Clock } from '../clock.js'
import type { Database, Query } from '../databases/database.js'
import type { JsonObject } from '../json.js'
import type { Logger } from '../observe/logger.js'
import type { Statistics } from '../pacing/statistics.js'
import type { Tuner } from '../pacing/tuner.js'
import type { Lease } from '../queue/lease.js'
import { encodeProgress } from '../queue/progress.js'
import type { QueueStore } from '../queue/queue-store.js'
import { parseProgress } from '../queue/row.js'
import type { HandlerContext, UpdateDefinition } from '../updates/definition.js'
import { InvalidQueueRowError } from '../errors.js'

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
  readonly tuner: Tuner
  /** The tuner's state as the row has it since our last batch: when the row has another, another runner was there. */
  savedTunerJson: string | null
  statistics: Statistics
  /** Last measured time of COMMIT, in ms: the next sample counts it, for its own isn't over when it is written. */
  commitMs: number
  /** When the last batch ended, on the monotonic clock; null before the first. */
  lastEndMs: number | null
  /** The progress at which the running batch began, for the log of a failure; null before the first. */
  from: JsonObject | null
  /** What the last batch failed with, for the controller; undefined when it was committed. */
  lastError: Error | undefined
}

/** What one batch is told. */
export interface BatchPlan {
  readonly lease: Lease
  readonly batchSize: number
  readonly targetMs: number
  /** Cancels the batch after this time in its transaction, in ms; undefined lets it take as long as it takes. */
  readonly deadlineMs: number | undefined
  readonly signal: AbortSignal
}

/** What one committed batch did. */
export interface BatchReport {
  readonly items: number
  readonly durationMs: number
  readonly done: boolean
  /** Ten batches in a row brought nothing new: the update is to be failed. */
  readonly stalled: boolean
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
      (issue) => `${(issue.path ?? []).map(String).join('.') || 'progress'}: ${issue.message}`,
    )
    throw new InvalidQueueRowError(definition.name, `progress_json doesn't fit its schema: ${issues.join('; ')}`)
  }
  return { saved, progress: result.value as Progress }
}

/** The text to save: the new progress, or the old one when the handler returned none. */
export function closeProgress(
  updateName: string,
  progress: unknown,
  savedText: string,
): { text: string; isNew: boolean } {
  if (progress === undefined) return { text: savedText, isNew: false }
  const text = encodeProgress(updateName, progress)
  return { text, isNew: text !== savedText && text !== JSON.stringify(JSON.parse(savedText)) }
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

/** A query that refuses to go on after the batch was told to give up. */
export function guardedQuery(query: Query, signal: AbortSignal): Query {
  return (text, values) => {
    signal.throwIfAborted()
    return query(text, values)
  }
}
