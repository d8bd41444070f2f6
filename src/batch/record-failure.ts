import { classifyError, databaseErrorCode } from '../databases/error-class.js'
import { DefinitionChangedError, EvenkeelError, UpdaterAbortedError } from '../errors.js'
import type { JsonObject } from '../json.js'
import type { UpdaterEmitter } from '../observe/events.js'
import type { BackOffs } from '../queue/back-off.js'
import { afterFailure, backOffMs } from '../queue/failure-policy.js'
import type { Lease } from '../queue/lease.js'
import { PAUSED_BY_US } from '../queue/reasons.js'
import { settingsOf, type ResolvedSettings } from '../settings.js'
import type { UpdateDefinition } from '../updates/definition.js'
import { needsDecision } from './needs-decision.js'
import type { Surroundings } from './work.js'

/** What recording a failure needs; randomness comes in from outside. */
export interface FailureParts<Tx> {
  readonly around: Surroundings<Tx>
  readonly settings: ResolvedSettings
  readonly events: UpdaterEmitter
  readonly backOffs: BackOffs
  /** From 0 to 1, for the jitter of back-offs. */
  readonly random: () => number
}

/** One failed batch. */
export interface Failure {
  readonly error: Error
  /** The progress at which the batch began; null when it was never read. */
  readonly from: JsonObject | null
  /** How many batches of this runner failed since the last one that was committed, this one included. */
  readonly failuresInARow: number
}

/**
 * Counts a failure on the row, gives the lease back, and says so. A row that isn't ours any more is left alone.
 *
 * @throws UpdaterAbortedError in strict mode, when this failure was one too many
 */
export async function recordFailure<Tx>(
  parts: FailureParts<Tx>,
  definition: UpdateDefinition<Tx, never>,
  lease: Lease,
  failure: Failure,
): Promise<void> {
  const { around, events, backOffs, settings } = parts
  const { error, from } = failure
  if (needsDecision(error) && (settings.onFailure !== 'abort' || error instanceof DefinitionChangedError)) {
    return pauseForPerson(parts, definition.name, lease, error)
  }
  const verdict = await count(parts, definition, lease, failure)
  if (verdict === null) return
  const ofLane = lease.lane === null ? {} : { lane: lease.lane }
  const identity = { databaseName: around.databaseName, updateName: definition.name, ...ofLane }
  const { attempts, pauseMs } = verdict
  const details = {
    update: definition.name,
    database: around.databaseName,
    progress: from,
    sqlstate: databaseErrorCode(error),
  }
  around.log.error({ ...details, attempts, error }, `batch failed: ${error.message}`)
  events.emit('batch:failure', { ...identity, error, attempts, backOffMs: pauseMs })
  if (verdict.abort) throw new UpdaterAbortedError(around.databaseName, definition.name, failure.failuresInARow, error)
  if (verdict.failed) events.emit('update:fail', { ...identity, error })
  // A lane's back-off is its row's: the other lanes go on.
  else if (lease.lane === null) backOffs.set(definition.name, pauseMs, verdict.retryAt)
}

/** Nothing is counted on the row: nobody's batch has failed. */
async function pauseForPerson<Tx>(
  { around, events }: FailureParts<Tx>,
  updateName: string,
  lease: Lease,
  error: Error,
): Promise<void> {
  const paused = await around.store.pauseOwn(lease, PAUSED_BY_US, reasonOf(error), storable(error))
  if (!paused) return
  const { databaseName, log } = around
  log.error(
    { update: updateName, database: databaseName, sqlstate: databaseErrorCode(error), error },
    `update paused: ${error.message}`,
  )
  events.emit('update:pause', { databaseName, updateName, by: PAUSED_BY_US, reason: reasonOf(error), error })
}

function reasonOf(error: Error): string {
  if (error instanceof EvenkeelError) return storable(error)
  return `${withStop(storable(error))} Bring back what is missing, or change the update, then resume it.`
}

async function count<Tx>(
  parts: FailureParts<Tx>,
  definition: UpdateDefinition<Tx, never>,
  lease: Lease,
  { error, failuresInARow }: Failure,
) {
  const { around, settings, random } = parts
  const { maxAttempts } = settingsOf(settings, definition)
  const permanent = error instanceof EvenkeelError && error.permanent
  const strict = settings.onFailure === 'abort'
  const record = async (tx: Tx) => {
    const query = around.store.within(tx)
    const before = await around.store.countersOfFailure(query, lease)
    if (before === null) return null
    const after = afterFailure(before, { maxAttempts, permanent, lock: classifyError(error) === 'lock' })
    const pauseMs = after.failed ? 0 : backOffMs(after.attempts, random)
    const abort = strict && (after.failed || failuresInARow >= settings.maxAttempts)
    const retryAt = await around.store.saveFailure(query, lease, {
      state: after.failed && !strict ? 'failed' : 'queued',
      // After an abort the row is left as new: whoever starts the updater again wants it tried again.
      attempts: abort ? 0 : after.attempts,
      outcomes: abort ? '' : after.outcomes,
      error: storable(error),
      backOffMs: pauseMs,
    })
    return { ...after, pauseMs, abort, retryAt }
  }
  return around.store.soon((options) => around.database.transaction(record, options))
}

function withStop(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`
}

// With what to do next, for whoever reads the status. Any error may come: PostgreSQL's TEXT holds no NUL, and nobody
// reads megabytes.
function storable(error: Error): string {
  const text = error instanceof EvenkeelError ? `${withStop(error.message)} ${error.hint}` : String(error.message)
  return text.slice(0, 10_000).replaceAll('\0', '\uFFFD').toWellFormed()
}
