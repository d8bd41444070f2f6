import type { PaceDialect } from '../pace.js'
import { closest, describe, refuseProblems, requireReadable, unknownOptionProblems } from '../../options.js'
import { PRESETS, type PaceKnobs, type PacePreset } from './presets.js'

/** Options of `adaptivePace()`. Most users need `preset` alone. */
export interface AdaptivePaceOptions extends Partial<PaceKnobs> {
  /** Where to start from; the other options change single values of it. Default `default`. */
  readonly preset?: PacePreset
}

const RANGES: Readonly<Record<keyof PaceKnobs, readonly [least: number, most: number]>> = {
  maxDuty: [0.001, 1],
  minDuty: [0.001, 1],
  sharedTargetMs: [1, 60_000],
  sharedStatementMs: [0.01, 60_000],
  sharedRestMs: [0, 1_000],
  sharedDuty: [0.001, 1],
  sharedCrowd: [0.01, 1_000],
  walSpread: [0.01, 10_000],
  quietMs: [0, 3_600_000],
}

export const KNOB_NAMES = Object.keys(RANGES) as (keyof PaceKnobs)[]

/**
 * The options, when nothing is wrong with them.
 *
 * @throws ConfigurationError that names every misspelt or impossible option
 */
export function checkedOptions(options: AdaptivePaceOptions): AdaptivePaceOptions {
  requireReadable('adaptivePace', options)
  const problems = paceProblems(options)
  refuseProblems('adaptivePace', problems)
  return options
}

/** The preset with what was chosen beside it. */
export function knobsOf(options: AdaptivePaceOptions, dialect: PaceDialect): PaceKnobs {
  const chosen = KNOB_NAMES.filter((name) => options[name] !== undefined).map((name) => [name, options[name]])
  const knobs = {
    ...PRESETS[dialect][options.preset ?? 'default'],
    ...(Object.fromEntries(chosen) as Partial<PaceKnobs>),
  }
  // A lower ceiling that was asked for wins over a floor that wasn't.
  return { ...knobs, minDuty: Math.min(knobs.minDuty, knobs.maxDuty) }
}

/** What is wrong with the options, as sentences. */
function paceProblems(options: unknown): string[] {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return ["the options must be an object, as in adaptivePace({ preset: 'gentle' })"]
  }
  const given = options as Record<string, unknown>
  const problems = unknownOptionProblems(options, ['preset', ...KNOB_NAMES])
  if (given.preset !== undefined) problems.push(...presetProblems(given.preset))
  for (const name of KNOB_NAMES) if (given[name] !== undefined) problems.push(...knobProblems(name, given[name]))
  const { minDuty, maxDuty } = given
  if (typeof minDuty === 'number' && typeof maxDuty === 'number' && minDuty > maxDuty) {
    problems.push(`minDuty ${minDuty} is above maxDuty ${maxDuty}`)
  }
  return problems
}

/** What is wrong with the name of a preset. */
export function presetProblems(value: unknown): string[] {
  const names = Object.keys(PRESETS.postgres)
  if (typeof value === 'string' && names.includes(value)) return []
  const meant = typeof value === 'string' ? closest(value, names) : undefined
  return [
    `preset must be one of ${names.join(', ')}, not ${describe(value)}${meant === undefined ? '' : `; did you mean "${meant}"?`}`,
  ]
}

/** What is wrong with the value of one knob. */
export function knobProblems(name: keyof PaceKnobs, value: unknown): string[] {
  const [least, most] = RANGES[name]
  if (typeof value === 'number' && value >= least && value <= most) return []
  return [`${name} must be a number from ${least} to ${most}, not ${describe(value)}`]
}
