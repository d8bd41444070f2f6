import type { Dialect } from '../databases/database.js'
import { closest, describe } from '../options.js'
import type { Signal } from './signal.js'

/** The ready-made signals of one kind of database. */
export interface SignalSet {
  readonly dialect: Dialect
  readonly signals: readonly Signal[]
}

export function thresholdProblems(name: string, value: unknown): string[] {
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value) && value > 0)) return []
  return [`${name} must be a number above 0, not ${describe(value)}`]
}

export function offProblems(off: unknown, signals: readonly Signal[]): string[] {
  if (off === undefined) return []
  if (!Array.isArray(off)) return [`off must be an array of names of signals, not ${describe(off)}`]
  const known = signals.map(({ name }) => name)
  return off
    .filter((name) => !known.includes(name as string))
    .map((name) => {
      const meant = typeof name === 'string' ? closest(name, known) : undefined
      return `off: there is no signal ${describe(name)}${meant === undefined ? '' : `; did you mean "${meant}"?`}`
    })
}

export function without(signals: readonly Signal[], off: readonly string[] = []): Signal[] {
  return signals.filter(({ name }) => !off.includes(name))
}
