import type { JsonValue } from '../../json.js'
import type { EncodedKey } from '../../keyset/encoding.js'
import type { WalkPlan, WalkPosition } from '../../keyset/walk.js'
import { savedCount, type WalkProgress } from './progress.js'

// Below this share of the numbers in use, a key says little about how many rows lie behind it.
const DENSE = 0.5

// Only the end of the walk is 100 %.
const ALMOST = 0.99

/** How the walk's way is to be measured, decided once at its start so that the fraction never goes back. */
export function measure(
  plan: WalkPlan,
  { first, end }: WalkPosition,
): Pick<WalkProgress, 'estimatedRows' | 'measuredBy'> {
  // Zero from the statistics of a table that has rows means that it was loaded since.
  const estimatedRows = plan.table.estimatedRows === 0 ? null : plan.table.estimatedRows
  const [column, ...further] = plan.key.columns
  const span = column?.integer === true && further.length === 0 && end !== null ? distance(first, end) : null
  const dense = span !== null && (estimatedRows === null || estimatedRows >= span * DENSE)
  return { estimatedRows, measuredBy: dense ? 'key' : 'rows' }
}

/** The share of the walk that is done, 0 to below 1; null when it can't be told. */
export function walkFraction(progress: WalkProgress): number | null {
  const { first, lower, end, estimatedRows, measuredBy } = progress
  if (lower === undefined || first === undefined) return 0
  if (measuredBy === 'key' && end !== undefined) {
    const done = distance(first, lower)
    const whole = distance(first, end)
    if (done === null || whole === null || whole <= 0) return null
    return Math.min(ALMOST, Math.max(0, done / whole))
  }
  if (typeof estimatedRows !== 'number' || estimatedRows <= 0) return null
  return Math.min(ALMOST, savedCount(progress, 'walked') / estimatedRows)
}

// How many whole numbers there are from one key to the other, both included.
function distance(from: EncodedKey, to: EncodedKey): number | null {
  const [a, b] = [wholeNumber(from[0]), wholeNumber(to[0])]
  return a === null || b === null ? null : Number(b - a) + 1
}

function wholeNumber(value: JsonValue | undefined): bigint | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null
  if (typeof value === 'string') return /^-?\d+$/.test(value) ? BigInt(value) : null
  if (typeof value === 'object' && value !== null && 'integer' in value)
    return wholeNumber((value as { readonly integer: JsonValue }).integer)
  return null
}
