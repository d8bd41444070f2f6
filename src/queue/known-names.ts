// Above this many names a runner doesn't tell them with every question; rows of others are then left out here.
const MANY_NAMES = 1_000

/** The names that a runner has handlers for, in the form in which a question tells them. */
export type KnownNames =
  { readonly many: false; readonly json: string } | { readonly many: true; readonly among: ReadonlySet<string> }

// A runner asks before every batch and gives the same array each time: with 10⁵ names, a set of them takes longer to
// make than the batch.
const known = new WeakMap<readonly string[], KnownNames>()

export function knownNames(names: readonly string[]): KnownNames {
  const before = known.get(names)
  if (before !== undefined) return before
  const now: KnownNames =
    names.length > MANY_NAMES ? { many: true, among: new Set(names) } : { many: false, json: JSON.stringify(names) }
  known.set(names, now)
  return now
}
