import { describe, methodProblems, unknownOptionProblems } from '../../options.js'
import type { PgClient } from './pg-client.js'

/** The part of `pg.Pool` that Evenkeel uses. */
export interface PgPool {
  connect(): Promise<PgClient>
  query(text: string, values?: unknown[]): Promise<unknown>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'connect', listener: (client: PgClient) => void): unknown
  listenerCount(event: 'error'): number
  readonly waitingCount?: number
}

/** The methods of a pool that are called. */
export const POOL_METHODS = ['connect', 'query', 'on', 'listenerCount']

export interface FromPgOptions {
  /** Isolation of batches. Default `read committed`: under `repeatable read` a busy table makes batches fail and repeat. */
  readonly isolationLevel?: 'read committed' | 'repeatable read' | 'serializable'
  /**
   * A pooler in transaction mode (PgBouncer) stands between: batches run, one-shot updates need `direct`, and without it
   * are refused when the updater starts. Default false.
   */
  readonly transactionPooler?: boolean
  /** Beside `transactionPooler`: a pool that reaches the server itself, for one-shot updates and short questions. */
  readonly direct?: PgPool
}

const ISOLATION_LEVELS: readonly unknown[] = [undefined, 'read committed', 'repeatable read', 'serializable']

/** What is wrong with the options, as sentences. */
export function fromPgProblems(options: FromPgOptions): string[] {
  if (typeof options !== 'object' || options === null) return [`options must be an object, not ${describe(options)}`]
  const { isolationLevel, transactionPooler, direct } = options
  const problems = unknownOptionProblems(options, ['isolationLevel', 'transactionPooler', 'direct'])
  if (!ISOLATION_LEVELS.includes(isolationLevel)) {
    problems.push(
      `isolationLevel must be 'read committed', 'repeatable read' or 'serializable', not ${describe(isolationLevel)}`,
    )
  }
  if (transactionPooler !== undefined && typeof transactionPooler !== 'boolean') {
    problems.push(`transactionPooler must be true or false, not ${describe(transactionPooler)}`)
  }
  if (direct !== undefined && transactionPooler !== true) problems.push('direct goes with transactionPooler: true only')
  return [...problems, ...methodProblems('direct', direct, POOL_METHODS)]
}
