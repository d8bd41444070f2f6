/** Who and what plays in the model test. */

export const LEASE_MS = 15_000

/** How long every batch takes on every clock. */
export const BATCH_MS = 1

/** Updates in batches; the order of the queue is by code point, where `D` comes before `a` and `é` after `z`. */
export const BATCHED = ['a', 'b', 'c', 'D', 'é'] as const
export const ONE_SHOT = 'one-shot'
/** An update that is for the other database. */
export const ELSEWHERE = 'elsewhere'
/** A name that nobody has a handler for. */
export const GHOST = 'ghost'

export const HANDLED: readonly string[] = [...BATCHED, ONE_SHOT, ELSEWHERE]
export const NAMES: readonly string[] = [...HANDLED, GHOST]

/** What the definitions say when a row doesn't. */
export const DEFAULTS: Readonly<Record<string, { dependsOn?: readonly string[]; ordering?: number }>> = {
  b: { dependsOn: ['a'] },
  c: { ordering: 5 },
  [ONE_SHOT]: { dependsOn: ['D', 'a'] },
}

/** What a handler does in one batch. `walks` ends at its third step. */
export const BEHAVIOURS = [
  'walks',
  'ends',
  'empty step',
  'idles',
  'throws',
  'throws for good',
  'is locked out',
  'returns nonsense',
  'saves nonsense',
] as const
export type Behaviour = (typeof BEHAVIOURS)[number]

export const RUNNERS = [0, 1, 2] as const

/** How a world is set up. */
export interface Setup {
  /** The updates that each runner has handlers for. */
  readonly handlers: readonly (readonly string[])[]
  readonly maxAttempts: number
  /** `onFailure: 'abort'`. */
  readonly strict: boolean
  /** For the jitter of back-offs. */
  readonly randomSeed: number
}

/** What the model knows of a runner. */
export interface ModelRunner {
  readonly owner: string
  readonly handlers: readonly string[]
  readonly maxAttempts: number
  readonly strict: boolean
  /** Leases that it has taken. */
  leases: number
  /** The lease that it keeps between its batches, while it has more of them to run. */
  held: { readonly name: string; readonly token: string } | null
  /** The update that led the queue at its last look: while it holds it, the fence of its batches looks at the queue. */
  leader: { readonly name: string; readonly dependsOn: readonly string[] } | null
  failuresInARow: number
  /** Strict mode gave up. */
  aborted: boolean
  /** Tokens of batches that were cancelled in this process. */
  readonly cancelled: Set<string>
}

export function newModelRunner(owner: string, handlers: readonly string[], setup: Setup): ModelRunner {
  const { maxAttempts, strict } = setup
  return {
    owner,
    handlers,
    maxAttempts,
    strict,
    leases: 0,
    held: null,
    leader: null,
    failuresInARow: 0,
    aborted: false,
    cancelled: new Set(),
  }
}
