import type { Query } from '../databases/database.js'
import { sameKey, type EncodedKey } from './encoding.js'
import type { WalkKey } from './key.js'
import { compareKey, keyOrder, keySelection } from './range.js'
import { readKey } from './row-key.js'
import type { WalkPlan, WalkPosition } from './walk.js'

/** What is left of a walk with a fixed end. */
export interface BoundedPosition extends WalkPosition {
  readonly end: EncodedKey
}

/**
 * Keys that cut what is left of a walk into up to `parts` parts of about as many rows: ascending, all of them behind
 * `lower` and before `end`. By the histogram of the server's statistics, else by a sample of pages, else, for whole
 * numbers, by their distance. Fewer or none where there is nothing to cut. PostgreSQL only; it reads a few hundred
 * index entries or pages, whatever the size of the table.
 */
export async function cutKeys(
  query: Query,
  plan: WalkPlan,
  position: BoundedPosition,
  parts: number,
): Promise<EncodedKey[]> {
  const pages = await tablePages(query, plan)
  const fresh = pages.now <= pages.analysed * STALE_GROWTH
  const candidates = fresh ? await histogramKeys(query, plan, position) : []
  if (candidates.length >= parts * MIN_BOUNDS_PER_PART) return between(evenly(candidates, parts), position)
  const sampled = between(await sampledKeys(query, plan, position, parts, samplePercent(pages.now)), position)
  if (sampled.length > 0) return sampled
  return between(equalDistances(plan.key, position, parts), position)
}

/** About how many rows the table has, by counting those of a sample of its pages. */
export async function sampleRowCount(query: Query, plan: WalkPlan): Promise<number> {
  const percent = samplePercent((await tablePages(query, plan)).now)
  const { rows } = await query<{ sampled: number }>(
    `
    SELECT count(*)::float8 AS sampled
    FROM ${plan.tableSql} TABLESAMPLE SYSTEM ($1::float8::real)`,
    [percent],
  )
  return Math.round(((rows[0]?.sampled ?? 0) * 100) / percent)
}

// A table that has grown by more since it was analysed has rows that its histogram doesn't know of.
const STALE_GROWTH = 1.5

// With fewer bounds than that in the range, cuts by the histogram would be far from even.
const MIN_BOUNDS_PER_PART = 4

const SAMPLED_PAGES = 300

const KEY = 'evenkeel_key_'

function samplePercent(pages: number): number {
  return Math.min(100, (100 * SAMPLED_PAGES) / Math.max(pages, 1))
}

// Of a partitioned table, its leaves together.
async function tablePages(query: Query, { tableSql }: WalkPlan): Promise<{ now: number; analysed: number }> {
  const { rows } = await query<{ now: number; analysed: number }>(
    `
    SELECT
      COALESCE(sum(pg_relation_size(leaf.oid) / current_setting('block_size')::bigint), 0)::float8 AS now,
      COALESCE(sum(GREATEST(leaf.relpages, 0)), 0)::float8 AS analysed
    FROM pg_class AS leaf
    WHERE leaf.relkind <> 'p'
      AND (leaf.oid = to_regclass($1) OR leaf.oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1))))`,
    [tableSql],
  )
  return rows[0] ?? { now: 0, analysed: 0 }
}

/**
 * For each bound of the histogram of the key's first column the first key from it on: real keys of the walk, also where
 * the key has more columns.
 */
async function histogramKeys(query: Query, plan: WalkPlan, position: BoundedPosition): Promise<EncodedKey[]> {
  const { table, tableSql, key } = plan
  const [column] = key.columns
  // Bounds are in the order of the column's own collation.
  if (column === undefined || column.collate !== '') return []
  const rest = restOf(key, position, 4, 'probe')
  const { rows } = await query(
    `
    SELECT ${keySelection(key, KEY, 'probe')}
    FROM pg_stats AS stats
    CROSS JOIN LATERAL unnest(stats.histogram_bounds::text::text[]) WITH ORDINALITY AS bounds (bound, place)
    CROSS JOIN LATERAL (
      SELECT ${key.columns.map(({ identifier }) => identifier).join(', ')}
      FROM ${tableSql}
      WHERE ${column.identifier} >= bounds.bound${column.cast}
      ORDER BY ${keyOrder(key)}
      LIMIT 1
    ) AS probe
    WHERE stats.schemaname = $1
      AND stats.tablename = $2
      AND stats.attname = $3
      AND ${rest.sql}
    ORDER BY bounds.place`,
    [table.schema, table.name, column.name, ...rest.values],
  )
  return rows.map((row) => readKey(key, row, KEY))
}

/** The keys at each `parts`-th of a sample of the table's pages, as far as they are in the range. */
async function sampledKeys(
  query: Query,
  { tableSql, key }: WalkPlan,
  position: BoundedPosition,
  parts: number,
  percent: number,
): Promise<EncodedKey[]> {
  const rest = restOf(key, position, 3)
  const { rows } = await query(
    `
    SELECT ${keySelection(key, KEY, 'sample')}
    FROM (
      SELECT ${key.columns.map(({ identifier }) => identifier).join(', ')},
        row_number() OVER (ORDER BY ${keyOrder(key)}) AS evenkeel_place,
        count(*) OVER () AS evenkeel_total
      FROM ${tableSql} TABLESAMPLE SYSTEM ($1::float8::real)
      WHERE ${rest.sql}
    ) AS sample
    WHERE evenkeel_place * $2::bigint / evenkeel_total > (evenkeel_place - 1) * $2::bigint / evenkeel_total
      AND evenkeel_place < evenkeel_total
    ORDER BY evenkeel_place`,
    [percent, parts, ...rest.values],
  )
  return rows.map((row) => readKey(key, row, KEY))
}

function restOf(key: WalkKey, { first, lower, end }: BoundedPosition, firstParameter: number, alias?: string) {
  const from =
    lower === null
      ? compareKey(key, '>=', first, firstParameter, alias)
      : compareKey(key, '>', lower, firstParameter, alias)
  const to = compareKey(key, '<=', end, firstParameter + from.values.length, alias)
  return { sql: `${from.sql} AND ${to.sql}`, values: [...from.values, ...to.values] }
}

/** Pure: of candidates at about equal distances, those that make `parts` equal parts. */
export function evenly<Key>(candidates: readonly Key[], parts: number): Key[] {
  return Array.from({ length: parts - 1 }, (_, index) =>
    candidates.at(Math.max(0, Math.round(((index + 1) * (candidates.length + 1)) / parts) - 1)),
  ).filter((key) => key !== undefined)
}

/** Pure: whole numbers that cut the range into equal lengths; none for other keys. */
function equalDistances(key: WalkKey, { first, lower, end }: BoundedPosition, parts: number): EncodedKey[] {
  const [column, ...further] = key.columns
  const [from, to] = [lower ?? first, end].map((bound) => bound[0])
  if (column?.integer !== true || further.length > 0 || typeof from !== 'string' || typeof to !== 'string') return []
  const length = BigInt(to) - BigInt(from)
  return Array.from({ length: parts - 1 }, (_, index) => [
    String(BigInt(from) + (length * BigInt(index + 1)) / BigInt(parts)),
  ])
}

// A cut that is where the walk is, or at its end, cuts nothing off; neighbours may be the same key.
function between(cuts: readonly EncodedKey[], { lower, end }: BoundedPosition): EncodedKey[] {
  return cuts.filter((cut, index) => {
    const before = index === 0 ? lower : (cuts[index - 1] ?? null)
    return !sameKey(cut, end) && (before === null || !sameKey(cut, before))
  })
}
