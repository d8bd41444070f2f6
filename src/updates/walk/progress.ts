import { InvalidQueueRowError } from '../../errors.js'
import type { JsonValue } from '../../json.js'
import type { EncodedKey } from '../../keyset/encoding.js'
import type { Waypoint } from '../../keyset/key-position.js'
import { keyParameters } from '../../keyset/range.js'
import type { WalkPlan, WalkPosition } from '../../keyset/walk.js'
import type { WalkedOver } from './over.js'

/** A JSON object of which only the fields that are asked for are known. */
type Saved = Readonly<Record<string, unknown>>

/** What a walk keeps between its batches. A migration may seed `lower` and `end`. */
export type WalkProgress = {
  /** The table and the key that its positions belong to. */
  readonly over?: WalkedOver
  /** Key of the first row when the walk began. */
  readonly first?: EncodedKey
  /** The last key that is done. */
  readonly lower?: EncodedKey
  /** The key up to which it goes; absent when it follows the rows that are added. */
  readonly end?: EncodedKey
  /** Rows that were walked over. */
  readonly walked?: number
  /** Rows that were changed. */
  readonly changed?: number
  /** Rows of the table by its statistics when the walk began; null when there were none. */
  readonly estimatedRows?: number | null
  /** By what the way is measured: the position of a dense key, its position between waypoints, or the number of rows. */
  readonly measuredBy?: 'key' | 'waypoints' | 'rows'
  /** Some keys of the walk, and the share of the rows up to each. */
  readonly waypoints?: readonly Waypoint[]
  /** The share that is done, of a walk in lanes; only in what is made for a report, never saved. */
  readonly doneInLanes?: number
}

/**
 * The keys in a saved or seeded progress, checked for this plan.
 *
 * @throws InvalidQueueRowError for a key of another shape
 */
export function savedKeys(updateName: string, progress: Saved, plan: WalkPlan): Partial<WalkPosition> {
  return {
    first: savedKey(updateName, progress, 'first', plan) ?? undefined,
    lower: savedKey(updateName, progress, 'lower', plan),
    end: savedKey(updateName, progress, 'end', plan) ?? undefined,
  }
}

function savedKey(updateName: string, progress: Saved, name: string, plan: WalkPlan): EncodedKey | null {
  const saved = progress[name]
  if (saved === undefined || saved === null) return null
  const columns = plan.key.columns.map((column) => column.name)
  try {
    const key = (Array.isArray(saved) ? saved : [saved]) as readonly JsonValue[]
    keyParameters(plan.key, key)
    return key
  } catch (error) {
    const reason = error instanceof TypeError ? error.message : 'it is no key'
    throw new InvalidQueueRowError(updateName, `progress.${name}: ${reason} (${columns.join(', ')})`)
  }
}

/** A count in the progress, 0 when it isn't there. */
export function savedCount(progress: Saved, name: string): number {
  const saved = progress[name]
  return typeof saved === 'number' && Number.isSafeInteger(saved) && saved >= 0 ? saved : 0
}

/** A key for a message: `id = 5`, `(a, b) = (1, "x")`. */
export function keyLabel(plan: WalkPlan, key: EncodedKey): string {
  const names = plan.key.columns.map((column) => column.name)
  const values = key.map((value, index) =>
    typeof value === 'string' && plan.key.columns[index]?.integer ? value : JSON.stringify(value),
  )
  return names.length === 1 ? `${names[0]} = ${values[0]}` : `(${names.join(', ')}) = (${values.join(', ')})`
}
