import { ConfigurationError } from '../../errors.js'
import { describe, refuseProblems, requireReadable, unknownOptionProblems } from '../../options.js'

/** Options of `guardedTuner()`. Every one has a default that simulation chose; most users need none. */
export interface GuardedTunerOptions {
  /** The share of the target that a batch aims at, above 0 to 1. Default 0.97. */
  readonly aim?: number
  /** Growth a batch while the size is still being found, 1.1 to 10. Default 4. */
  readonly slowStartGrowth?: number
  /** Growth a batch afterwards, 1.1 to 10. Default 2. */
  readonly growth?: number
  /** A batch over this many times the target makes the next one a probe, 1.5 to 20. Default 2.5. */
  readonly guard?: number
  /** The least weight of a new batch in the running cost, 0.01 to 0.5. Default 0.06. */
  readonly gain?: number
  /** Deviation, in noise widths a batch, that is not counted towards a change, 0.1 to 3. Default 0.75. */
  readonly changeDrift?: number
  /** Accumulated deviation, in noise widths, that counts as a change, 1 to 50. Default 5. */
  readonly changeThreshold?: number
  /** How many decisions `explain()` remembers, a whole number from 1 to 10 000. Default 50. */
  readonly decisionsKept?: number
}

/** `GuardedTunerOptions` with every default filled in. */
export type GuardedSettings = Required<GuardedTunerOptions>

interface Setting {
  readonly standard: number
  readonly least: number
  readonly most: number
  readonly whole?: boolean
}

/**
 * Found by simulation (`npm run bench:tuner`). The aim is the one whose batches take the target on average when the
 * noise is 30 %, and don't exceed it by more than 2 %; with the low gain the size keeps within 4 to 5 % of the ideal,
 * for real changes are the detector's business.
 */
const SETTINGS: Record<keyof GuardedTunerOptions, Setting> = {
  aim: { standard: 0.97, least: 0.01, most: 1 },
  slowStartGrowth: { standard: 4, least: 1.1, most: 10 },
  growth: { standard: 2, least: 1.1, most: 10 },
  guard: { standard: 2.5, least: 1.5, most: 20 },
  gain: { standard: 0.06, least: 0.01, most: 0.5 },
  changeDrift: { standard: 0.75, least: 0.1, most: 3 },
  changeThreshold: { standard: 5, least: 1, most: 50 },
  decisionsKept: { standard: 50, least: 1, most: 10_000, whole: true },
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws ConfigurationError that names every misspelt or impossible option
 */
export function guardedSettings(options: GuardedTunerOptions = {}): GuardedSettings {
  requireReadable('guardedTuner', options)
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ConfigurationError('guardedTuner', ['the options must be an object'])
  }
  const names = Object.keys(SETTINGS) as (keyof GuardedTunerOptions)[]
  const problems = unknownOptionProblems(options, names)
  const chosen = names.map((name): [keyof GuardedTunerOptions, number] => {
    const value: unknown = options[name]
    if (value === undefined) return [name, SETTINGS[name].standard]
    if (fits(value, SETTINGS[name])) return [name, value]
    problems.push(`${name} must be ${wanted(SETTINGS[name])}, not ${describe(value)}`)
    return [name, SETTINGS[name].standard]
  })
  refuseProblems('guardedTuner', problems)
  return Object.fromEntries(chosen) as GuardedSettings
}

function fits(value: unknown, { least, most, whole }: Setting): value is number {
  return typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value))
}

function wanted({ least, most, whole }: Setting): string {
  return `a ${whole ? 'whole ' : ''}number from ${least} to ${most}`
}
