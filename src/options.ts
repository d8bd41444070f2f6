import { ConfigurationError } from './errors.js'

/** Checks of options, shared by everything that takes some: each returns the problems it found, as sentences. */

// Deeper than options go; what a value of theirs holds is looked at by whoever takes it.
const READ_DEPTH = 4

/**
 * Refuses options that can't even be read: a getter or a proxy that throws, a proxy that was revoked; and lists with
 * holes, which some loops pass over and others stumble on.
 *
 * @throws ConfigurationError
 */
export function requireReadable(subject: string, ...given: readonly unknown[]): void {
  const seen = new Set<object>()
  const read = (value: unknown, depth: number, isData = false): void => {
    if (typeof value !== 'object' || value === null || depth > READ_DEPTH || seen.has(value)) return
    seen.add(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    // An adapter or a signal is used, not read.
    if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return
    const keys = Object.keys(value)
    if (!isData && Array.isArray(value) && keys.filter((key) => /^\d+$/.test(key)).length < value.length)
      throw new Error('a list in it has a hole, an element that was left out')
    // Progress is data: what it may hold is a check of its own, which names the place in it.
    for (const key of keys) read((value as Record<string, unknown>)[key], depth + 1, isData || key === 'progress')
  }
  try {
    read(given, 0)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'reading it throws'
    throw new ConfigurationError(subject, [`it can't be read: ${reason}`], error)
  }
}

/** Names that an options object has but should not have, each with the name that was probably meant. */
export function unknownOptionProblems(options: object, known: readonly string[]): string[] {
  return Object.keys(options)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const meant = closest(key, known)
      return `unknown option "${key}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`
    })
}

/**
 * Refuses what isn't an object of options that can be read.
 *
 * @throws ConfigurationError
 */
export function requireOptions(subject: string, options: unknown): void {
  requireReadable(subject, options)
  if (typeof options === 'object' && options !== null) return
  throw new ConfigurationError(subject, [`options must be an object, not ${describe(options)}`])
}

/** @throws ConfigurationError with all of them, if there are any */
export function refuseProblems(subject: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new ConfigurationError(subject, problems)
}

/** A text that is left out or that any database can store. */
export function textProblems(name: string, value: unknown): string[] {
  if (value === undefined) return []
  if (typeof value !== 'string') return [`${name} must be a text, not ${describe(value)}`]
  return value.includes('\0') || !value.isWellFormed()
    ? [`${name} ${describe(value)} contains a character that a database can't store`]
    : []
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

// More would only wait for each other: a server has fewer cores, and a pool fewer connections.
const MAX_LANES = 64

/** Two writers of SQLite would only wait for each other, and nobody could take over a lane from another connection. */
export const ONE_LANE_ON_SQLITE = 'SQLite has one writer, so a walk there has one lane'

/** How many ranges of a walk are worked on at the same time. */
export function lanesProblems(lanes: unknown): string[] {
  if (lanes === undefined || (Number.isInteger(lanes) && (lanes as number) >= 1 && (lanes as number) <= MAX_LANES))
    return []
  return [`lanes must be a whole number from 1 to ${MAX_LANES}, not ${describe(lanes)}`]
}

/** What a check finds. A value that can't even be read, such as a revoked proxy, is a problem too. */
export function problemsFound(check: () => string[]): string[] {
  try {
    return check()
  } catch (error) {
    return [`an option can't be read: ${error instanceof Error ? error.message : String(error)}`]
  }
}

/** An object that is left out or has all of the methods. */
export function methodProblems(option: string, value: unknown, methods: readonly string[]): string[] {
  if (value === undefined) return []
  return problemsFound(() => {
    const given = value as Record<string, unknown> | null
    const missing = methods.filter((method) => typeof given?.[method] !== 'function')
    return missing.length === 0 ? [] : [`${option} has no ${missing.join('(), ')}()`]
  })
}

/** What an adapter returns. */
export function databaseProblems(database: unknown): string[] {
  const missing = methodProblems('database', database ?? null, ['transaction', 'session', 'query', 'close'])
  const dialect = (database as { dialect?: unknown } | null | undefined)?.dialect
  return missing.length === 0 && (dialect === 'postgres' || dialect === 'sqlite')
    ? []
    : ['database must be what fromPg, fromBetterSqlite3 or another adapter returns']
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
  if (typeof value === 'string')
    return JSON.stringify(value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return isArray(value) ? 'an array' : 'an object'
  return String(value)
}

// Nobody reads more of it.
const LONGEST_TEXT = 200

// Of a proxy that was revoked nothing can be told.
function isArray(value: object): boolean {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
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
