/** What SQLite makes of a value that is stored in a column: the rules of its documentation, "Datatypes In SQLite", 3.1. */
export type Affinity = 'integer' | 'text' | 'blob' | 'real' | 'numeric'

// The order counts: CHARINT is an integer.
const RULES: readonly (readonly [pattern: RegExp, affinity: Affinity])[] = [
  [/int/i, 'integer'],
  [/char|clob|text/i, 'text'],
  [/blob|^$/i, 'blob'],
  [/real|floa|doub/i, 'real'],
]

/** The affinity of a column of this declared type, in a table that isn't STRICT. */
export function affinityOf(declaredType: string): Affinity {
  return RULES.find(([pattern]) => pattern.test(declaredType))?.[1] ?? 'numeric'
}

/**
 * Whether a value from a column of the one type is stored unchanged in a column of the other, or not at all. ANY changes
 * nothing in a STRICT table, and is numeric in another.
 */
export function keepsValues(from: string, into: string): boolean {
  if ([from, into].some((type) => type.toLowerCase() === 'any')) return from.toLowerCase() === into.toLowerCase()
  const [one, other] = [affinityOf(from), affinityOf(into)].map((affinity) =>
    // They differ in CAST alone.
    affinity === 'integer' ? 'numeric' : affinity,
  )
  return one === other
}
