import type { Database, Dialect, Query } from '../../databases/database.js'
import type { BackgroundUpdater } from '../../updater.js'
import type { UpdateDefinition } from '../../updates/definition.js'
import { countryName, type City } from './cities.js'
import { CREATE_OLD_INDEX, CREATE_TABLES, insertCities, insertCountries, insertPlaces } from './tables.js'

const CITIES_A_STATEMENT = 10_000

/**
 * Loads the source, makes a million rows of it and enqueues the chain, all in one transaction: a demo that is killed
 * meanwhile has loaded nothing. Returns the number of rows.
 */
export async function loadDemo(
  database: Database<never>,
  updater: BackgroundUpdater<never>,
  updates: readonly UpdateDefinition<never, never>[],
  cities: readonly City[],
  onProgress: (fraction: number) => void,
): Promise<number> {
  return database.transaction(async (tx) => {
    const query: Query = (text, values) => database.query(tx, text, values)
    for (const statement of CREATE_TABLES) await query(statement)
    await insertSource(query, database.dialect, cities)
    let rows = 0
    const inserts = insertPlaces(database.dialect, cities.length)
    for (const [done, insert] of inserts.entries()) {
      onProgress(done / inserts.length)
      rows += (await query(insert)).rowCount
    }
    await query(CREATE_OLD_INDEX)
    // Otherwise the first batches would be planned for an empty table.
    if (database.dialect === 'postgres') await query('ANALYZE')
    for (const update of updates) await updater.enqueue(update, { tx, by: 'demo' })
    await query("INSERT INTO demo_state (reached) VALUES ('loaded')")
    return rows
  })
}

async function insertSource(query: Query, dialect: Dialect, cities: readonly City[]): Promise<void> {
  for (let from = 0; from < cities.length; from += CITIES_A_STATEMENT) {
    const entries = cities
      .slice(from, from + CITIES_A_STATEMENT)
      .map(({ cityId, name, country, population }, index) => [from + index, cityId, name, country, population])
    await query(insertCities(dialect), [JSON.stringify(entries)])
  }
  const codes = [...new Set(cities.map(({ country }) => country))]
  await query(insertCountries(dialect), [JSON.stringify(codes.map((code) => [code, countryName(code)]))])
}
