import type { Dialect, Statement } from '../databases/database.js'

/** The limits of a batch in the server, in ms; 0 is none. */
export interface TransactionLimits {
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
  readonly idleInTransactionTimeoutMs: number
  /** COMMIT returns before its WAL is on disk. */
  readonly asynchronousCommit: boolean
}

/** Whose statements these are, for pg_stat_activity and for our own signals. */
export const APPLICATION_NAME_PREFIX = 'evenkeel:'

// By its schema: nobody who may create functions in the search_path has his own called by us.
const setting = (name: string, value: string) => `pg_catalog.set_config('${name}', ${value}, true)`

const LIMITS = [
  setting('application_name', '$1'),
  setting('statement_timeout', '$2'),
  setting('lock_timeout', '$3'),
  setting('idle_in_transaction_session_timeout', '$4'),
]

// One column: each costs a driver more than the server.
const settingText = (limits: readonly string[]) => `
SELECT ${limits.join('\n  || ')} AS settings`

const LIMITS_ALONE = settingText(LIMITS)
const LIMITS_AND_ASYNCHRONOUS_COMMIT = settingText([...LIMITS, setting('synchronous_commit', "'off'")])

/**
 * The settings of a batch's transaction, for as long as it lasts: nothing stays on the session, which may be a pooler's.
 * An asynchronous commit can be lost in a crash of the server, together with the progress in it: then the batch is done
 * again, which is what a crash a moment earlier would have meant.
 */
export function transactionSettings(dialect: Dialect, updateName: string, limits: TransactionLimits): Statement[] {
  if (dialect !== 'postgres') return []
  return [
    {
      text: limits.asynchronousCommit ? LIMITS_AND_ASYNCHRONOUS_COMMIT : LIMITS_ALONE,
      values: [
        applicationName(updateName),
        `${limits.statementTimeoutMs}ms`,
        `${limits.lockTimeoutMs}ms`,
        `${limits.idleInTransactionTimeoutMs}ms`,
      ],
    },
  ]
}

/** The end of an update is told to others, so its last batch is as durable as the session would have it. */
export function durableCommit(dialect: Dialect, limits: TransactionLimits): Statement[] {
  if (dialect !== 'postgres' || !limits.asynchronousCommit) return []
  return [{ text: 'SET LOCAL synchronous_commit TO DEFAULT' }]
}

// NAMEDATALEN - 1. The server shows anything but printable ASCII in a way of its own, so the cut is by characters.
const MAX_LENGTH = 63

export function applicationName(updateName: string): string {
  return `${APPLICATION_NAME_PREFIX}${updateName.replaceAll(/[^\x20-\x7e]/g, '?')}`.slice(0, MAX_LENGTH)
}
