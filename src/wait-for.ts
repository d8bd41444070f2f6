import { classifyError } from './databases/error-class.js'
import { UpdateCancelledError, UpdateFailedError, WaitTimeoutError } from './errors.js'
import { describe, unknownOptionProblems } from './options.js'
import type { QueueStore } from './queue/queue-store.js'
import { explainQueue, PAUSED_BY_US, rootsNeedingPerson } from './queue/reasons.js'

export interface WaitOptions {
  /** In ms. Default: no limit. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** What is wrong with the options, as sentences. */
export function waitProblems(options: WaitOptions): string[] {
  const problems = unknownOptionProblems(options, ['timeoutMs', 'signal'])
  const { timeoutMs } = options
  if (timeoutMs !== undefined && (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs) || timeoutMs < 0)) {
    problems.push(`timeoutMs must be a number of at least 0, not ${describe(timeoutMs)}`)
  }
  return problems
}

/**
 * Resolves when none of the names is in the queue, whichever process does the work. A database that is away meanwhile
 * is waited for: the work goes on when it is back, and so does this.
 *
 * @throws UpdateFailedError when one of them, or what it depends on, has failed or stands in a cycle
 * @throws UpdateCancelledError when one of them was cancelled
 * @throws WaitTimeoutError
 */
export async function waitForUpdates<Tx>(
  store: QueueStore<Tx>,
  names: readonly string[],
  { timeoutMs, signal }: WaitOptions,
  pause: () => Promise<void>,
): Promise<void> {
  const deadline = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs
  // As far as is known: when the time is over the database may be away.
  let pending: ReadonlySet<string> = new Set(names)
  for (;;) {
    signal?.throwIfAborted()
    try {
      pending = await store.queuedAmong(names)
      await refuseHopeless(store, names, pending)
      if (pending.size === 0) return
    } catch (error) {
      if (classifyError(error) !== 'connection') throw error
    }
    if (performance.now() >= deadline) throw new WaitTimeoutError([...pending], timeoutMs ?? 0)
    await pause()
  }
}

/** Throws when it is clear that what is waited for doesn't come by itself. */
async function refuseHopeless<Tx>(
  store: QueueStore<Tx>,
  names: readonly string[],
  pending: ReadonlySet<string>,
): Promise<void> {
  await refuseCancelled(
    store,
    names.filter((name) => !pending.has(name)),
  )
  if (pending.size > 0) await refuseStuck(store, pending)
}

async function refuseCancelled<Tx>(store: QueueStore<Tx>, gone: readonly string[]): Promise<void> {
  for (const name of gone) {
    if ((await store.lastOutcome(name)) === 'cancelled') throw new UpdateCancelledError(name)
  }
}

// A person's pause may end and a handler may come with the next deploy, but a failure, a cycle and a pause by the engine
// itself stay until somebody mends them.
async function refuseStuck<Tx>(store: QueueStore<Tx>, pending: ReadonlySet<string>): Promise<void> {
  const rows = await store.rows()
  const byName = new Map(rows.map((row) => [row.name, row]))
  const reasons = explainQueue(rows, { owner: null, hasHandler: () => true })
  for (const name of pending) {
    for (const root of rootsNeedingPerson(name, byName, reasons)) {
      const reason = reasons.get(root)
      const stays = reason?.code === 'failed' || reason?.code === 'dependency_cycle'
      if (reason === undefined || !(stays || byName.get(root)?.stateBy === PAUSED_BY_US)) continue
      throw new UpdateFailedError(name, root === name ? reason.text : `waits for ${root}, which ${reason.text}`)
    }
  }
}
