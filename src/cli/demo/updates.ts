import type { Database } from '../../databases/database.js'
import { backfill } from '../../updates/backfill.js'
import { addConstraint } from '../../updates/constraints/add-constraint.js'
import { foreignKey } from '../../updates/constraints/constraint.js'
import { setNotNull } from '../../updates/constraints/set-not-null.js'
import { validateConstraint } from '../../updates/constraints/validate-constraint.js'
import { createIndex } from '../../updates/create-index.js'
import { defineUpdate } from '../../updates/define.js'
import type { UpdateDefinition } from '../../updates/definition.js'
import { deleteRows } from '../../updates/delete-rows.js'
import { NAME_KEY_SQL } from './tables.js'

const FOREIGN_KEY = 'places_country_code_fkey'

/** The demo's chain: what a team does, step by step, to a table that is in use. */
export function demoUpdates(database: Database<never>, schema: string | undefined) {
  const fillNameKey = backfill({
    name: 'fill_name_key',
    table: 'places',
    set: { name_key: NAME_KEY_SQL },
    where: 'name_key IS NULL',
    ordering: 1,
  })
  const moveOrphans = deleteRows({
    name: 'move_orphans',
    table: 'places',
    where: 'NOT EXISTS (SELECT 1 FROM countries WHERE countries.code = places.country_code)',
    keepIn: 'orphan_places',
    ordering: 2,
    dependsOn: 'fill_name_key',
  })
  const moveDuplicates = deleteRows({
    name: 'move_duplicates',
    table: 'places',
    where: `EXISTS (
      SELECT 1
      FROM places AS other
      WHERE other.city_id = places.city_id
        AND other.recorded_in = places.recorded_in
        AND other.place_id < places.place_id
    )`,
    keepIn: 'duplicate_places',
    ordering: 3,
    dependsOn: 'move_orphans',
  })
  // In a real project a schema migration calls addConstraint; here it is a step of the chain.
  const addCountryKey = defineUpdate({
    name: 'add_country_key',
    oneShot: true,
    ordering: 4,
    dependsOn: 'move_duplicates',
    async run({ signal }) {
      await addConstraint(database, {
        constraintName: FOREIGN_KEY,
        table: 'places',
        constraint: foreignKey({ columns: { country_code: 'code' }, references: 'countries' }),
        update: 'validate_country_key',
        ordering: 5,
        signal,
        ...(schema === undefined ? {} : { schema }),
      })
    },
  })
  // Enqueued by addConstraint. SQLite has nothing to validate: there the table was rebuilt with the key.
  const validateCountryKey = validateConstraint({
    name: 'validate_country_key',
    table: 'places',
    constraintName: FOREIGN_KEY,
    on: 'postgres',
  })
  const requireNameKey = setNotNull({
    name: 'require_name_key',
    table: 'places',
    column: 'name_key',
    ordering: 6,
    dependsOn: ['add_country_key', 'validate_country_key'],
  })
  const uniqueCityYear = createIndex({
    name: 'unique_city_and_year',
    index: 'places_city_id_recorded_in_key',
    table: 'places',
    columns: ['city_id', 'recorded_in'],
    unique: true,
    replaces: 'places_city_id_idx',
    ordering: 7,
    dependsOn: 'require_name_key',
  })
  const enqueued: readonly UpdateDefinition<never, never>[] = [
    fillNameKey,
    moveOrphans,
    moveDuplicates,
    addCountryKey,
    requireNameKey,
    uniqueCityYear,
  ]
  return { enqueued, all: [...enqueued, validateCountryKey] as readonly UpdateDefinition<never, never>[] }
}
