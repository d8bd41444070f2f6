/**
 * Runs `work` under a signal that aborts with the first of some others. Nothing of it is left on those when `work` has
 * ended: of each `AbortSignal.any` Node 20 keeps an entry for as long as the signals live that it was made of, and one
 * more with every batch adds up.
 */
export async function underAny<T>(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const [only] = signals
  if (only !== undefined && signals.length === 1) return work(only)
  const union = new AbortController()
  for (const signal of signals) follow(signal, union)
  try {
    return await work(union.signal)
  } finally {
    for (const signal of signals) leave(signal, union)
  }
}

interface Followers {
  readonly unions: Set<AbortController>
  readonly onAbort: () => void
}

// One listener of a signal tells all who follow it: Node warns of a leak when one has more than ten.
const followersOf = new WeakMap<AbortSignal, Followers>()

/** Aborts `union` with `signal`, until `leave`. */
export function follow(signal: AbortSignal, union: AbortController): void {
  if (signal.aborted) return union.abort(signal.reason)
  let followers = followersOf.get(signal)
  if (followers === undefined) {
    const unions = new Set<AbortController>()
    const onAbort = () => {
      for (const each of unions) each.abort(signal.reason)
    }
    followers = { unions, onAbort }
    followersOf.set(signal, followers)
    signal.addEventListener('abort', onAbort, { once: true })
  }
  followers.unions.add(union)
}

/** Undoes `follow`. */
export function leave(signal: AbortSignal, union: AbortController): void {
  const followers = followersOf.get(signal)
  followers?.unions.delete(union)
  if (followers?.unions.size !== 0) return
  signal.removeEventListener('abort', followers.onAbort)
  followersOf.delete(signal)
}
