/**
 * Every error that Evenkeel throws on purpose. `code` is stable and meant for programs, `message` says what happened and
 * to what, `hint` what to do next. An error that is `permanent` fails an update at once: trying again can't help.
 */
export class EvenkeelError extends Error {
  readonly code: string
  readonly hint: string
  readonly permanent: boolean

  constructor(code: string, message: string, options: { hint: string; cause?: unknown; permanent?: boolean }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.hint = options.hint
    this.permanent = options.permanent ?? false
  }
}

// Of problems in a message; whoever passes something odd passes thousands of them.
const MOST_SHOWN = 20

/** Options or a configuration file that can't be used. Carries every problem that was found, not only the first. */
export class ConfigurationError extends EvenkeelError {
  readonly problems: readonly string[]

  constructor(subject: string, problems: readonly string[], cause?: unknown) {
    const more = problems.length > MOST_SHOWN ? `; and ${problems.length - MOST_SHOWN} more` : ''
    super('CONFIGURATION', `${subject}: ${problems.slice(0, MOST_SHOWN).join('; ')}${more}`, {
      hint: 'Correct the named options; nothing was started or changed.',
      permanent: true,
      cause,
    })
    this.problems = problems
  }
}

/** A name that can't be an identifier in this database. */
export class InvalidIdentifierError extends EvenkeelError {
  constructor(name: string, reason: string) {
    super('INVALID_IDENTIFIER', `${JSON.stringify(name)} can't be used as an identifier: ${reason}`, {
      hint: 'Give the name of the table, column, index or constraint as the database knows it, without quotes.',
      permanent: true,
    })
  }
}

/** The tables of Evenkeel aren't there. */
export class NotInstalledError extends EvenkeelError {
  constructor(databaseName: string) {
    super('NOT_INSTALLED', `the tables of Evenkeel are not installed in database "${databaseName}"`, {
      hint: 'Run `evenkeel install`, or call `updater.install()` in a migration. `evenkeel install --sql` prints the SQL.',
    })
  }
}

/** The tables of Evenkeel are of another revision than this version of the package. */
export class VersionMismatchError extends EvenkeelError {
  readonly installed: number
  readonly supported: number

  constructor(databaseName: string, installed: number, supported: number) {
    const newer = installed > supported
    super(
      'VERSION_MISMATCH',
      `database "${databaseName}" has revision ${installed} of the tables of Evenkeel, this version of the package ` +
        `${newer ? 'knows only up to' : 'needs'} revision ${supported}`,
      {
        hint: newer
          ? 'Upgrade the package "evenkeel" in this process.'
          : 'Run `evenkeel install`, or call `updater.install()` in a migration.',
      },
    )
    this.installed = installed
    this.supported = supported
  }
}

/** A table named `background_updates` exists that can't be adopted. */
export class AdoptionError extends EvenkeelError {
  constructor(table: string, reason: string) {
    super('CANNOT_ADOPT', `the existing table ${table} can't be adopted: ${reason}`, {
      hint: 'Rename that table, or install into another schema (option `schema`). Nothing was changed.',
    })
  }
}

/** The update isn't defined in this process. */
export class UnknownUpdateError extends EvenkeelError {
  constructor(name: string, suggestion?: string) {
    super(
      'UNKNOWN_UPDATE',
      `no update "${name}" is defined here${suggestion ? `; did you mean "${suggestion}"?` : ''}`,
      {
        hint: 'Pass its definition in `updates`, or check the spelling.',
      },
    )
  }
}

/** The update isn't in the queue. */
export class NotQueuedError extends EvenkeelError {
  constructor(name: string) {
    super('NOT_QUEUED', `update "${name}" is not in the queue`, {
      hint: 'It has finished, was cancelled or was never enqueued: see `evenkeel history`.',
    })
  }
}

/** The update is in the queue already. */
export class AlreadyQueuedError extends EvenkeelError {
  constructor(name: string) {
    super('ALREADY_QUEUED', `update "${name}" is in the queue already`, {
      hint: "Wait until it has finished, cancel it, or enqueue with `ifExists: 'ignore'` (in the shell `--if-queued ignore`).",
    })
  }
}

/** A queue row that was written by hand or by another tool and can't be used. */
export class InvalidQueueRowError extends EvenkeelError {
  constructor(name: string, reason: string) {
    super('INVALID_QUEUE_ROW', `the queue row of update "${name}" can't be used: ${reason}`, {
      hint: 'Correct the row in `background_updates`, then retry the update.',
      permanent: true,
    })
  }
}

/** Progress that JSON can't hold exactly, or that doesn't fit the update's own schema. */
export class InvalidProgressError extends EvenkeelError {
  /** Where in the progress, as `progress.a.b[0]`. */
  readonly path: string

  constructor(
    name: string,
    path: string,
    reason: string,
    hint = 'Progress must survive JSON exactly: keep wide keys and timestamps as strings.',
  ) {
    super('INVALID_PROGRESS', `update "${name}": ${path} ${reason}`, { hint })
    this.path = path
  }
}

/** A handler returned something else than `{ items, progress?, done? }`. */
export class InvalidBatchResultError extends EvenkeelError {
  constructor(name: string, reason: string) {
    super('INVALID_BATCH_RESULT', `the batch of update "${name}" returned ${reason}`, {
      hint: 'Return `{ items, progress?, done? }` with `items` a whole number of at least 0.',
    })
  }
}

/** A batch was cancelled because it took longer than its deadline; it was rolled back and is tried again smaller. */
export class BatchDeadlineError extends EvenkeelError {
  readonly deadlineMs: number

  constructor(name: string, deadlineMs: number, cause: unknown) {
    super(
      'BATCH_DEADLINE',
      `the batch of update "${name}" was cancelled after its deadline of ${Math.round(deadlineMs)} ms`,
      {
        hint: 'Nothing to do while the next, smaller batch is committed; otherwise lower `minBatchSize` or raise `deadline`.',
        cause,
      },
    )
    this.deadlineMs = deadlineMs
  }
}

/** Ten batches in a row brought neither new progress nor an end. */
export class StalledError extends EvenkeelError {
  constructor(name: string, batches: number) {
    super('STALLED', `update "${name}" returned neither new progress nor done for ${batches} batches in a row`, {
      hint: 'Let the handler return the progress it made, or `done: true` when nothing is left; then retry the update.',
      permanent: true,
    })
  }
}

/** An update that waitFor() waits for can't finish without a person. */
export class UpdateFailedError extends EvenkeelError {
  readonly updateName: string

  constructor(name: string, reason: string) {
    super('UPDATE_FAILED', `update "${name}": ${reason}`, {
      hint: 'Mend the cause, then `evenkeel retry` it. `evenkeel status` shows the error.',
    })
    this.updateName = name
  }
}

/** An update that waitFor() waits for was cancelled. */
export class UpdateCancelledError extends EvenkeelError {
  readonly updateName: string

  constructor(name: string) {
    super('UPDATE_CANCELLED', `update "${name}" was cancelled`, {
      hint: 'Enqueue it again if its work is still needed. `evenkeel history` shows who cancelled it.',
    })
    this.updateName = name
  }
}

/** One update that runToCompletion() can't finish, and why. */
export interface UpdateNeedingPerson {
  readonly name: string
  readonly code: string
  readonly text: string
}

/** What runToCompletion() can't finish without a person. */
export class NeedsPersonError extends EvenkeelError {
  readonly updates: readonly UpdateNeedingPerson[]

  constructor(updates: readonly UpdateNeedingPerson[]) {
    super(
      'NEEDS_PERSON',
      `${updates.length} of the updates can't go on: ${updates.map((u) => `${u.name}: ${u.text}`).join('; ')}`,
      {
        hint: 'Mend what is named, then retry or resume the updates.',
      },
    )
    this.updates = updates
  }
}

/** The work of this database is switched off. */
export class DisabledError extends EvenkeelError {
  constructor(databaseName: string, by: string | null, reason: string | null) {
    super(
      'DISABLED',
      `updates of database "${databaseName}" were disabled${by ? ` by ${by}` : ''}${reason ? `: ${reason}` : ''}`,
      {
        hint: 'Run `evenkeel enable`, or call `updater.enable()`.',
      },
    )
  }
}

/** waitFor() waited as long as it was told to. */
export class WaitTimeoutError extends EvenkeelError {
  readonly pending: readonly string[]

  constructor(pending: readonly string[], timeoutMs: number) {
    super('WAIT_TIMEOUT', `still in the queue after ${timeoutMs} ms: ${pending.join(', ')}`, {
      hint: 'Wait longer, or see `evenkeel status` for what they are waiting for.',
    })
    this.pending = pending
  }
}

/** Another runner took the update over, or it was cancelled, paused or disabled before its batch began. */
export class LeaseLostError extends EvenkeelError {
  constructor(name: string) {
    super('LEASE_LOST', `the lease of update "${name}" is not ours any more; the batch was rolled back`, {
      hint: 'Nothing to do: whoever holds the lease goes on from the last committed batch.',
    })
  }
}

/** Strict mode (`onFailure: 'abort'`) gave up. */
export class UpdaterAbortedError extends EvenkeelError {
  constructor(databaseName: string, updateName: string, attempts: number, cause: unknown) {
    super(
      'UPDATER_ABORTED',
      `the updater of "${databaseName}" stopped: update "${updateName}" failed ${attempts} times in a row`,
      {
        hint: 'Mend the cause, then start the updater again.',
        cause,
      },
    )
  }
}

/** What was asked for exists only on the other database. */
export class UnsupportedError extends EvenkeelError {
  constructor(subject: string, dialect: string, remedy: string) {
    super('UNSUPPORTED', `${subject} is not possible on ${dialect}`, { hint: remedy, permanent: true })
  }
}

/** The database didn't answer in time: the server, or what stands between, is gone without closing the connection. */
export class NoAnswerError extends EvenkeelError {
  constructor(ms: number, cause?: unknown) {
    super('NO_ANSWER', `the database gave no answer within ${ms} ms`, {
      hint: 'Nothing to do when it comes back: the runner waits. Else look at the network, and for who holds locks on the queue.',
      cause,
    })
  }
}

/** All connections of the pool were in use for longer than a statement on the queue may take. */
export class PoolExhaustedError extends EvenkeelError {
  constructor(cause?: unknown) {
    super('POOL_EXHAUSTED', 'no connection of the pool became free', {
      hint: 'Give the pool at least three connections for the updater: a batch, its heartbeat, and your questions.',
      cause,
    })
  }
}

/** A transaction was opened inside another one of the same connection. */
export class NestedTransactionError extends EvenkeelError {
  constructor() {
    super('NESTED_TRANSACTION', 'a transaction was opened inside a batch on the same SQLite connection', {
      hint: 'Pass the batch’s own `tx` (for instance `enqueue(update, { tx })`), or do it after the batch.',
    })
  }
}

/** An error that rolled back a whole transaction of SQLite. */
export interface RolledBackBy {
  readonly cause: unknown
  /** The cause in words. */
  readonly reason: string
  /** The statement went through Evenkeel, so that nothing else can have ended the transaction. */
  readonly watched: boolean
}

/**
 * The transaction was rolled back by the database although its function returned, because the error of a statement in it
 * was swallowed; or, on SQLite, an error of a statement rolled the whole of it back, and that is its `cause`.
 */
export class TransactionRolledBackError extends EvenkeelError {
  constructor(by?: RolledBackBy) {
    super('TRANSACTION_ROLLED_BACK', rolledBackMessage(by), {
      hint: by
        ? 'Mend what the error names. A RAISE(ABORT) or ON CONFLICT ABORT in its place takes back one statement only.'
        : 'Let errors of statements leave the handler, or catch them behind a SAVEPOINT.',
      cause: by?.cause,
    })
  }
}

function rolledBackMessage(by: RolledBackBy | undefined): string {
  if (by === undefined) return 'the transaction could not be committed: a statement in it had failed before'
  const message = `${by.reason}, and the database rolled the whole transaction back`
  return by.watched ? message : `${message}, unless the handler had ended it before`
}

/**
 * Somebody ended the transaction inside its function. What a COMMIT there has committed nobody can take back, and
 * a further attempt would commit it again.
 */
export class TransactionEndedError extends EvenkeelError {
  /** The statement that ended it; null when it didn't go through Evenkeel. */
  readonly by: 'COMMIT' | 'ROLLBACK' | null

  constructor(by: 'COMMIT' | 'ROLLBACK' | null, then?: { readonly cause: unknown; readonly reason: string }) {
    const after = then === undefined ? '' : `; then it failed: ${then.reason}`
    super('TRANSACTION_ENDED', `the transaction was ended inside it, ${ENDED_BY[by ?? 'unwatched']}${after}`, {
      hint:
        'Leave COMMIT and ROLLBACK to Evenkeel, and let errors of statements leave the handler. Look what the batch has ' +
        'left in the tables, then retry the update.',
      cause: then?.cause,
      permanent: true,
    })
    this.by = by
  }
}

const ENDED_BY = {
  COMMIT: 'by a statement of its own: what it had written is committed, without the progress of its batch',
  ROLLBACK: 'by a statement of its own: what it had written is rolled back',
  unwatched:
    'on `tx`: by COMMIT, by ROLLBACK, or by an error that rolled it back and was swallowed; what `tx` wrote before a ' +
    'COMMIT, and after the end, is committed',
} as const

/** What an update needs of the schema isn't there: a table, a column, a unique key. */
export class SchemaMismatchError extends EvenkeelError {
  /** A table or column doesn't exist: the update is paused, and may go on when it is there again. */
  readonly missing: boolean

  constructor(subject: string, reason: string, hint: string, { missing = false }: { readonly missing?: boolean } = {}) {
    super('SCHEMA_MISMATCH', `${subject}: ${reason}`, { hint, permanent: true })
    this.missing = missing
  }
}

/** The definition of an update isn't the one that its progress was made with. The update was paused. */
export class DefinitionChangedError extends EvenkeelError {
  constructor(name: string, batches: number) {
    super(
      'DEFINITION_CHANGED',
      `the definition of update "${name}" changed since its first batch; ${batches} batches were done with the earlier one`,
      {
        hint:
          'If going on from there is right, accept it: `evenkeel resume NAME --accept-changes`, or ' +
          '`updater.resume(name, { acceptChanges: true })`. Else cancel it and enqueue it again: it starts anew.',
        permanent: true,
      },
    )
  }
}
