/** Checks of options, shared by everything that takes some: each returns the problems it found, as sentences. */

/** Names that an options object has but should not have, each with the name that was probably meant. */
export function unknownOptionProblems(options: object, known: readonly string[]): string[] {
  return Object.keys(options)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const meant = closest(key, known)
      return `unknown option "${key}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`
    })
}

/** A count that is left out or a whole number of at least `minimum`. */
export function wholeNumberProblems(name: string, value: unknown, minimum = 1): string[] {
  if (value === undefined) return []
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum) return []
  return [`${name} must be a whole number of at least ${minimum}, not ${describe(value)}`]
}

/** A duration that is left out or a finite number of milliseconds above zero. */
export function durationProblems(name: string, value: unknown): string[] {
  if (value === undefined) return []
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return []
  return [`${name} must be a number of milliseconds above 0, not ${describe(value)}`]
}

/** The known name that is nearest to a misspelt one, when it is near enough to be meant. */
export function closest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** A value as a message shows it. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return String(value)
}

// Optimal string alignment: Levenshtein, with two swapped neighbours as one slip. Long names are cut: nobody misspells
// the 100th character only.
function editDistance(a: string, b: string): number {
  const left = a.slice(0, 100)
  const right = b.slice(0, 100)
  let before: number[] = []
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= right.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]
      const swap = swapped ? (before[j - 2] ?? 0) + 1 : Infinity
      next.push(Math.min(substitution, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    before = row
    row = next
  }
  return row[right.length] ?? 0
}
