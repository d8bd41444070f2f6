import type { Dialect } from '../../databases/database.js'

/** The demo's tables and what they are filled with: plain SQL that both databases understand. */

const LAST_YEAR = 2025

/** How many years each city is recorded in: they make more than a million rows of 135 000 cities. */
export function yearsOf(dialect: Dialect): number {
  // SQLite, without a server between, is done with them so fast that there would be little to see.
  return dialect === 'sqlite' ? 12 : 8
}

/** What the backfill computes; the check at the end computes it anew from the source. */
export const NAME_KEY_SQL = "lower(replace(trim(name), ' ', '-'))"

export const CREATE_TABLES = [
  // The source, which nothing changes.
  `CREATE TABLE cities (
  position INTEGER PRIMARY KEY,
  city_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  country_code TEXT NOT NULL,
  population INTEGER NOT NULL
)`,
  `CREATE TABLE countries (
  code TEXT PRIMARY KEY,
  name TEXT NOT NULL
)`,
  ...['places', 'orphan_places', 'duplicate_places'].map(
    (table) => `CREATE TABLE ${table} (
  place_id INTEGER PRIMARY KEY,
  city_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  country_code TEXT,
  population INTEGER NOT NULL,
  recorded_in INTEGER NOT NULL,
  name_key TEXT
)`,
  ),
  `CREATE TABLE demo_state (
  reached TEXT PRIMARY KEY
)`,
]

export const CREATE_OLD_INDEX = 'CREATE INDEX places_city_id_idx ON places (city_id)'

/** $1 JSON array of [position, city_id, name, country_code, population]. */
export function insertCities(dialect: Dialect): string {
  const entries = dialect === 'postgres' ? 'json_array_elements($1::json) AS entry(value)' : 'json_each($1)'
  return `INSERT INTO cities (position, city_id, name, country_code, population)
SELECT CAST(value ->> 0 AS INTEGER), CAST(value ->> 1 AS INTEGER), value ->> 2, value ->> 3, CAST(value ->> 4 AS INTEGER)
FROM ${entries}`
}

/** $1 JSON array of [code, name]. */
export function insertCountries(dialect: Dialect): string {
  const entries = dialect === 'postgres' ? 'json_array_elements($1::json) AS entry(value)' : 'json_each($1)'
  return `INSERT INTO countries (code, name)
SELECT value ->> 0, value ->> 1
FROM ${entries}`
}

/** The statements that make `places` out of the cities: one a year, and one that records some of the last year twice. */
export function insertPlaces(dialect: Dialect, cities: number): string[] {
  return rounds(dialect, cities).map(
    (round) => `INSERT INTO places (place_id, city_id, name, country_code, population, recorded_in)
SELECT place_id, city_id, name, ${COUNTRY_SQL}, population, recorded_in
FROM (${round}) AS round`,
  )
}

/** Every row that was loaded, derived from the source anew. */
export function allPlaces(dialect: Dialect, cities: number): string {
  return `SELECT place_id, city_id, name, ${COUNTRY_SQL} AS country_code, population, recorded_in
FROM (${rounds(dialect, cities).join('\nUNION ALL\n')}) AS rounds`
}

// Two countries that are no more, as old records have them: nothing in `countries` has their codes.
const COUNTRY_SQL = "CASE WHEN place_id % 997 = 0 THEN 'YU' WHEN place_id % 1009 = 0 THEN 'SU' ELSE country_code END"

function rounds(dialect: Dialect, cities: number): string[] {
  const years = yearsOf(dialect)
  const selected = (round: number, year: number) =>
    `SELECT ${round * cities} + position + 1 AS place_id, city_id, name, country_code, population, ${year} AS recorded_in
FROM cities`
  return [
    ...Array.from({ length: years }, (_, round) => selected(round, LAST_YEAR - years + 1 + round)),
    `${selected(years, LAST_YEAR)}\nWHERE position % 499 = 0`,
  ]
}
