import type { Dialect } from '../databases/database.js'
import type { JsonValue } from '../json.js'
import {
  closest,
  describe,
  durationProblems,
  lanesProblems,
  ONE_LANE_ON_SQLITE,
  wholeNumberProblems,
} from '../options.js'
import { KNOB_NAMES, knobProblems, presetProblems } from '../pacing/adaptive/options.js'
import { BUDGET_NAMES, budgetProblem } from '../pacing/budgets/budgets.js'
import { windowProblems } from '../pacing/windows/windows.js'

/** A setting that can be changed while updates run. */
export interface SettingKey {
  /** Also for one update alone. */
  readonly perUpdate: boolean
  /** What is wrong with a value, as sentences. */
  problems(value: JsonValue, dialect: Dialect): string[]
}

/** By its name in `updater.set()` and `evenkeel set`. */
export const SETTING_KEYS: ReadonlyMap<string, SettingKey> = new Map([
  ['pace.preset', { perUpdate: false, problems: presetProblems }],
  ...KNOB_NAMES.map((name): [string, SettingKey] => [
    `pace.${name}`,
    { perUpdate: false, problems: (value) => knobProblems(name, value) },
  ]),
  ...BUDGET_NAMES.map((name): [string, SettingKey] => [
    `budgets.${name}`,
    { perUpdate: false, problems: (value, dialect) => budgetProblem(name, value, dialect) },
  ]),
  ['windows', { perUpdate: false, problems: windowProblems }],
  ['targetMs', { perUpdate: true, problems: (value) => durationProblems('targetMs', value) }],
  ['maxBatchSize', { perUpdate: true, problems: (value) => wholeNumberProblems('maxBatchSize', value) }],
  ['lanes', { perUpdate: true, problems: laneCountProblems }],
])

function laneCountProblems(value: JsonValue, dialect: Dialect): string[] {
  const problems = lanesProblems(value)
  if (problems.length > 0 || dialect === 'postgres' || value === 1) return problems
  return [`lanes must be 1, not ${describe(value)}: ${ONE_LANE_ON_SQLITE}`]
}

/** Which setting of which update: `targetMs@lowercase_emails`; without an update it is for all of the database. */
export function subjectOf(key: string, update: string | null): string {
  return update === null ? key : `${key}@${update}`
}

/** The other way round. A key has no `@`; the name of an update may. */
export function partsOf(subject: string): { readonly key: string; readonly update: string | null } {
  const at = subject.indexOf('@')
  return at < 0 ? { key: subject, update: null } : { key: subject.slice(0, at), update: subject.slice(at + 1) }
}

/** What is wrong with a change; null as value takes the setting away. */
export function changeProblems(key: string, value: JsonValue, update: string | null, dialect: Dialect): string[] {
  const setting = SETTING_KEYS.get(key)
  if (setting === undefined) {
    const meant = closest(key, [...SETTING_KEYS.keys()]) ?? closestEnd(key)
    return [`there is no setting "${key}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`]
  }
  if (update !== null && !setting.perUpdate) return [`${key} is for the whole database, not for one update`]
  return value === null ? [] : setting.problems(value, dialect)
}

// `maxDuty` for `pace.maxDuty`.
function closestEnd(key: string): string | undefined {
  const ends = new Map([...SETTING_KEYS.keys()].map((name) => [name.slice(name.indexOf('.') + 1), name]))
  const end = closest(key.slice(key.indexOf('.') + 1), [...ends.keys()])
  return end === undefined ? undefined : ends.get(end)
}
