import { expect } from 'vitest'
import type { Query } from '../../src/databases/database.js'
import type { EncodedKey } from '../../src/keyset/encoding.js'
import { nextRange, walkBounds, type KeySlice, type WalkPlan } from '../../src/keyset/walk.js'

/** More than any walk of these tests has. */
const MAX_BATCHES = 500

/**
 * Walks a whole table in batches of these sizes, over and over, as updates do, and looks at each batch in slices too.
 * `rowsOf` reads the rows of a slice by its predicate. Resolves to the rows of each batch.
 */
export async function walkWhole<Row>(
  query: Query,
  plan: WalkPlan,
  sizes: readonly number[],
  rowsOf: (slice: KeySlice) => Promise<Row[]>,
): Promise<Row[][]> {
  const bounds = await walkBounds(query, plan)
  if (bounds === null) return []
  const counted = async (slice: KeySlice) => {
    const rows = await rowsOf(slice)
    expect(rows.length).toBe(slice.rows)
    return rows
  }
  const batches: Row[][] = []
  let lower: EncodedKey | null = null
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    const every = 1 + (batch % 3)
    const range = await nextRange(query, plan, { ...bounds, lower }, sizes[batch % sizes.length] ?? 1, every)
    if (range === null) return batches
    const inSlices: Row[] = []
    for (const slice of range.slices) {
      expect(slice.rows).toBeLessThanOrEqual(every)
      inSlices.push(...(await counted(slice)))
    }
    const walked = await counted(range)
    expect(inSlices).toEqual(walked)
    batches.push(walked)
    // As the progress keeps it.
    lower = JSON.parse(JSON.stringify(range.upper)) as EncodedKey
    if (range.last) return batches
  }
  throw new Error('the walk does not end')
}
