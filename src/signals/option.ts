import type { Dialect } from '../databases/database.js'
import { describe } from '../options.js'
import { postgresSignals } from './postgres-signals.js'
import type { SignalSet } from './signal-set.js'
import type { Signal } from './signal.js'
import { sqliteSignals } from './sqlite-signals.js'

/**
 * What is measured for the pace: `auto` is everything ready-made that the database offers; an array adds signals of the
 * application's own, and a set of ready-made ones with other limits takes the place of the usual one; false is nothing.
 */
export type SignalsOption = 'auto' | false | readonly (Signal | SignalSet)[]

export function signalsProblems(option: unknown): string[] {
  if (option === undefined || option === 'auto' || option === false) return []
  if (!Array.isArray(option)) return [`signals must be 'auto', false or an array of signals, not ${describe(option)}`]
  return option.flatMap((each, index) =>
    isSet(each) || isSignal(each)
      ? []
      : [
          `signals[${index}] must be what signal(), postgresSignals() or sqliteSignals() returns, not ${describe(each)}`,
        ],
  )
}

/** The signals of one database, each name once: the last of a name counts. */
export function resolveSignals(option: SignalsOption | undefined, dialect: Dialect): readonly Signal[] {
  if (option === false) return []
  const given = Array.isArray(option) ? (option as readonly (Signal | SignalSet)[]) : []
  const sets = given.filter(isSet)
  const chosen = sets.some((set) => set.dialect === dialect) ? sets : [usual(dialect)]
  const readyMade = chosen.filter((set) => set.dialect === dialect).flatMap((set) => set.signals)
  const own = given.filter(isSignal)
  return [...new Map([...readyMade, ...own].map((signal) => [signal.name, signal])).values()]
}

function usual(dialect: Dialect): SignalSet {
  return dialect === 'postgres' ? postgresSignals() : sqliteSignals()
}

function isSet(value: unknown): value is SignalSet {
  return typeof value === 'object' && value !== null && 'signals' in value && 'dialect' in value
}

function isSignal(value: unknown): value is Signal {
  return typeof (value as Partial<Signal> | null)?.open === 'function'
}
