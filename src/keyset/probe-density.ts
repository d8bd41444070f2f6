import type { Query } from '../databases/database.js'
import type { JsonValue } from '../json.js'
import { decodePostgresValue, encodeSqliteValue, type EncodedKey } from './encoding.js'
import { wholeNumber, type Waypoint } from './key-position.js'
import { compareKey, keyOrder, keySelection } from './range.js'
import type { WalkPlan } from './walk.js'

/** How many parts of equal length the key is cut into at first. */
const PARTS = 8

/** Then, so many times, the parts that say the least are cut in two. */
const ROUNDS = 4
const CUT_A_ROUND = 3

/** How dense a part is, is told by so many rows at either end of it. */
const ROWS_PROBED = 100

/** A hole is worth a waypoint of its own from this share of the key's length on. */
const HOLE = 0.005

/** A part of the key as it was found: between its first and its last key. */
interface Part {
  readonly first: bigint
  readonly last: bigint
  /** Rows for each number at its beginning and at its end. */
  readonly densities: readonly [begin: number, end: number]
}

/**
 * Waypoints of a key of one whole number that has no histogram: looks into the index how dense the key is at some
 * places, closer where that changes. It reads some ten thousand entries of the index. Null for a short key.
 */
export async function probeDensity(
  query: Query,
  plan: WalkPlan,
  first: EncodedKey,
  end: EncodedKey,
): Promise<Waypoint[] | null> {
  const [from, to] = [wholeNumber(first[0]), wholeNumber(end[0])]
  if (from === null || to === null || to - from < BigInt(PARTS)) return null
  const places = Array.from(
    { length: PARTS + 1 },
    (_, index) => from + ((to + 1n - from) * BigInt(index)) / BigInt(PARTS),
  )
  let parts = await readParts(query, plan, pairs(places))
  for (let round = 0; round < ROUNDS; round += 1) {
    const unclear = parts
      .filter(isUnclear)
      .toSorted((a, b) => doubt(b) - doubt(a))
      .slice(0, CUT_A_ROUND)
    if (unclear.length === 0) break
    const halves = await readParts(query, plan, unclear.flatMap(halved))
    parts = [...parts.filter((part) => !unclear.includes(part)), ...halves].toSorted((a, b) =>
      a.first < b.first ? -1 : 1,
    )
  }
  return waypointsOf(parts, (value) => encoded(plan, value))
}

type Bounds = readonly [from: bigint, below: bigint]

async function readParts(query: Query, plan: WalkPlan, bounds: readonly Bounds[]): Promise<Part[]> {
  const values: unknown[] = []
  const key = (comparison: '>=' | '<=', at: bigint, offset: number) => {
    const place = compareKey(plan.key, comparison, [encoded(plan, at)], values.length + 1)
    values.push(...place.values)
    return `(
      SELECT ${keySelection(plan.key, '')}
      FROM ${plan.tableSql}
      WHERE ${place.sql}
      ORDER BY ${keyOrder(plan.key, comparison === '>=' ? 'ASC' : 'DESC')}
      LIMIT 1
      OFFSET ${offset}
    )`
  }
  const selections = bounds.map(
    ([from, below]) => `SELECT ${key('>=', from, 0)} AS first,
    ${key('>=', from, ROWS_PROBED - 1)} AS ahead,
    ${key('<=', below - 1n, 0)} AS last,
    ${key('<=', below - 1n, ROWS_PROBED - 1)} AS behind`,
  )
  const { rows } = await query<Record<'first' | 'ahead' | 'last' | 'behind', unknown>>(
    selections.join('\nUNION ALL\n'),
    values,
  )
  const decoded = (value: unknown) =>
    value === null || value === undefined
      ? null
      : wholeNumber(plan.key.dialect === 'postgres' ? (value as string) : encodeSqliteValue(value))
  return rows
    .flatMap((row): Part[] => {
      const [first, ahead, last, behind] = [row.first, row.ahead, row.last, row.behind].map(decoded)
      // Nothing lies between the two places.
      if (first == null || last == null || last < first) return []
      return [{ first, last, densities: densitiesOf(first, ahead ?? null, last, behind ?? null) }]
    })
    .toSorted((a, b) => (a.first < b.first ? -1 : 1))
}

// Where there are fewer rows than are looked at, the other end has to do.
function densitiesOf(first: bigint, ahead: bigint | null, last: bigint, behind: bigint | null): [number, number] {
  const begin = ahead === null ? null : ROWS_PROBED / (Number(ahead - first) + 1)
  const end = behind === null ? null : ROWS_PROBED / (Number(last - behind) + 1)
  return [begin ?? end ?? 1, end ?? begin ?? 1]
}

function isUnclear({ first, last, densities: [begin, end] }: Part): boolean {
  return last - first > BigInt(ROWS_PROBED) && (begin > 2 * end || end > 2 * begin)
}

// In rows: how many more it may hold than it may.
function doubt({ first, last, densities: [begin, end] }: Part): number {
  return Number(last - first) * Math.abs(begin - end)
}

function halved({ first, last }: Part): Bounds[] {
  const middle = first + (last - first) / 2n + 1n
  return [
    [first, middle],
    [middle, last + 1n],
  ]
}

function pairs(places: readonly bigint[]): Bounds[] {
  return places.slice(1).map((below, index): Bounds => [places[index] as bigint, below])
}

function waypointsOf(parts: readonly Part[], encode: (value: bigint) => JsonValue): Waypoint[] | null {
  const [first, last] = [parts[0]?.first, parts.at(-1)?.last]
  const whole = parts.reduce((sum, part) => sum + rowsOf(part), 0)
  if (first === undefined || last === undefined || last === first || whole <= 0) return null
  const waypoints: Waypoint[] = [[encode(first), 0]]
  let before = 0
  let at = first
  for (const part of parts) {
    if (Number(part.first - at) > HOLE * Number(last - first))
      waypoints.push([encode(part.first), rounded(before / whole)])
    before += rowsOf(part)
    if (part.last > at) waypoints.push([encode(part.last), rounded(before / whole)])
    at = part.last
  }
  return waypoints
}

function rowsOf({ first, last, densities: [begin, end] }: Part): number {
  return ((Number(last - first) + 1) * (begin + end)) / 2
}

function rounded(share: number): number {
  return Number(share.toPrecision(5))
}

function encoded(plan: WalkPlan, value: bigint): JsonValue {
  return plan.key.dialect === 'postgres' ? decodePostgresValue(value.toString()) : encodeSqliteValue(value)
}
