import { DisabledError, EvenkeelError, NeedsPersonError } from './errors.js'
import { describe, unknownOptionProblems } from './options.js'
import type { QueueStore } from './queue/queue-store.js'
import { explainQueue, rootsNeedingPerson, type Onlooker } from './queue/reasons.js'
import type { QueueRow } from './queue/row.js'
import { readDisabled } from './queue/switch.js'

export interface CompletionOptions {
  /** Only these and what they depend on. Default: the whole queue. */
  readonly names?: readonly string[]
  /** Ends after the running batch, rejecting with the signal's reason. */
  readonly signal?: AbortSignal
}

/** stop() was called before runToCompletion() was at its end. */
export class UpdaterStoppedError extends EvenkeelError {
  constructor(databaseName: string) {
    super('UPDATER_STOPPED', `the updater of "${databaseName}" was stopped before its queue was finished`, {
      hint: 'Nothing is lost: run it again, and it goes on from the last committed batch.',
    })
  }
}

/** What happened while runToCompletion() ran. */
export interface CompletionResult {
  /** Updates that left the queue meanwhile, by whoever ran them. */
  readonly completed: readonly string[]
  /** All that this updater committed meanwhile: its lanes, and the loop of start() beside it, count too. */
  readonly batches: number
  /** Of those batches. */
  readonly items: number
  /** Wall-clock time, in ms. */
  readonly durationMs: number
}

/** The steps that it takes; those of the updater. */
export interface CompletionSteps {
  /** One batch of the first runnable update among `names`, null for all; false when none can run now. */
  step(names: ReadonlySet<string> | null): Promise<boolean>
  /** Waits until something may have become runnable. */
  idle(): Promise<void>
  /** Waits for a database that is away; throws every other error. */
  recover(error: unknown): Promise<void>
}

/** What is wrong with the options, as sentences. */
export function completionProblems(options: object): string[] {
  const problems = unknownOptionProblems(options, ['names', 'signal'])
  const { names } = options as { names?: unknown }
  if (names !== undefined && !Array.isArray(names)) problems.push(`names must be an array, not ${describe(names)}`)
  return problems
}

/**
 * Runs batches without a pause until none of the updates is in the queue.
 *
 * @throws NeedsPersonError when nothing can run any more, listing what needs a person and why
 * @throws DisabledError
 */
export async function runUntilComplete<Tx>(
  store: QueueStore<Tx>,
  databaseName: string,
  onlooker: Onlooker,
  { names, signal }: CompletionOptions,
  steps: CompletionSteps,
): Promise<readonly string[]> {
  const seen = new Set<string>()
  for (;;) {
    signal?.throwIfAborted()
    try {
      const rows = await store.rows()
      const wanted = withDependencies(rows, names)
      for (const name of wanted) seen.add(name)
      if (wanted.size === 0) return [...seen]
      if (await runWhileItCan(store, names === undefined ? null : wanted, signal, steps)) continue
      const disabled = await readDisabled(store.ask, store.tables)
      if (disabled) throw new DisabledError(databaseName, disabled.by, disabled.reason)
      refuseHopeless(rows, wanted, onlooker)
      await steps.idle()
    } catch (error) {
      signal?.throwIfAborted()
      await steps.recover(error)
    }
  }
}

// Until nothing is left to run, the queue is read by the picker alone: a full look at every batch would cost.
async function runWhileItCan<Tx>(
  store: QueueStore<Tx>,
  wanted: ReadonlySet<string> | null,
  signal: AbortSignal | undefined,
  steps: CompletionSteps,
): Promise<boolean> {
  let ran = false
  while (await steps.step(wanted)) {
    ran = true
    signal?.throwIfAborted()
    if (wanted !== null && (await store.queuedAmong([...wanted])).size === 0) break
  }
  return ran
}

/** The queued rows among `names`, or all, with everything queued that they depend on. */
function withDependencies(rows: readonly QueueRow[], names: readonly string[] | undefined): Set<string> {
  if (names === undefined) return new Set(rows.map((row) => row.name))
  const byName = new Map(rows.map((row) => [row.name, row]))
  const wanted = new Set<string>()
  const pending = [...names]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const row = byName.get(name)
    if (row === undefined || wanted.has(name)) continue
    wanted.add(name)
    pending.push(...row.dependsOn)
  }
  return wanted
}

// Rejects only when every update that is left comes to a person in the end: one that another runner holds, or that
// backs off, may still finish.
function refuseHopeless(rows: readonly QueueRow[], wanted: ReadonlySet<string>, onlooker: Onlooker): void {
  const byName = new Map(rows.map((row) => [row.name, row]))
  const reasons = explainQueue(rows, onlooker)
  const roots = new Set<string>()
  for (const name of wanted) {
    const found = rootsNeedingPerson(name, byName, reasons)
    if (found.length === 0) return
    for (const root of found) roots.add(root)
  }
  throw new NeedsPersonError(
    [...roots].map((name) => ({
      name,
      code: reasons.get(name)?.code ?? 'unknown',
      text: reasons.get(name)?.text ?? 'unknown',
    })),
  )
}
