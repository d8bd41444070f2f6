import type { Dialect, Query } from '../../databases/database.js'
import { allPlaces, NAME_KEY_SQL } from './tables.js'

/** What the check counted. */
export interface DemoCheck {
  /** Rows that the source says must be there, and how many of them are there, equal in every column. */
  readonly expected: number
  readonly equal: number
  /** Rows that are there. */
  readonly found: number
  readonly expectedOrphans: number
  readonly orphans: number
  readonly expectedDuplicates: number
  readonly duplicates: number
}

/**
 * One plain statement that derives from the loaded source what must be in the tables now, and compares: it knows
 * nothing of what the engine did or says.
 */
export async function checkDemo(query: Query, dialect: Dialect): Promise<DemoCheck> {
  const { rows } = await query<Record<string, unknown>>(checkSql(dialect, await countCities(query)))
  const row = rows[0] ?? {}
  const number = (name: string) => Number(row[name] ?? 0)
  return {
    expected: number('expected'),
    equal: number('equal'),
    found: number('found'),
    expectedOrphans: number('expected_orphans'),
    orphans: number('orphans'),
    expectedDuplicates: number('expected_duplicates'),
    duplicates: number('duplicates'),
  }
}

export function isRight(check: DemoCheck): boolean {
  return (
    check.expected === check.equal &&
    check.expected === check.found &&
    check.expectedOrphans === check.orphans &&
    check.expectedDuplicates === check.duplicates
  )
}

async function countCities(query: Query): Promise<number> {
  const { rows } = await query<{ count: string }>('SELECT CAST(count(*) AS TEXT) AS count FROM cities')
  return Number(rows[0]?.count)
}

const checkSql = (dialect: Dialect, cities: number) => `WITH loaded AS (
${allPlaces(dialect, cities)}
),
known AS (
  SELECT loaded.*, ROW_NUMBER() OVER (PARTITION BY city_id, recorded_in ORDER BY place_id) AS copy
  FROM loaded
  JOIN countries ON countries.code = loaded.country_code
)
SELECT
  CAST(count(*) AS TEXT) AS expected,
  CAST(count(CASE
    WHEN places.city_id = known.city_id
      AND places.name = known.name
      AND places.country_code = known.country_code
      AND places.population = known.population
      AND places.recorded_in = known.recorded_in
      AND places.name_key = ${NAME_KEY_SQL.replace('name', 'known.name')}
    THEN 1
  END) AS TEXT) AS equal,
  (SELECT CAST(count(*) AS TEXT) FROM places) AS found,
  (SELECT CAST(count(*) AS TEXT) FROM loaded WHERE country_code NOT IN (SELECT code FROM countries)) AS expected_orphans,
  (SELECT CAST(count(*) AS TEXT) FROM orphan_places) AS orphans,
  (SELECT CAST(count(*) AS TEXT) FROM known WHERE copy > 1) AS expected_duplicates,
  (SELECT CAST(count(*) AS TEXT) FROM duplicate_places) AS duplicates
FROM known
LEFT JOIN places ON places.place_id = known.place_id
WHERE known.copy = 1`
