import { defineUpdate } from 'evenkeel'
import { BOTH, type Scenario } from '../scenario.js'

const names = Array.from({ length: 200 }, (_, index) => `u${String(index).padStart(3, '0')}`)

/** Two hundred small updates of two batches, each of which notes that it ran. */
export const queueOf200: Scenario = {
  name: 'queue of 200',
  dialects: BOTH,
  tables: () => 'CREATE TABLE ran (name TEXT NOT NULL, batch INTEGER NOT NULL);',
  updates: () =>
    names.map((name) =>
      defineUpdate<unknown, { batch?: number }>({
        name,
        version: 1,
        async batch({ query, progress: { batch = 1 } }) {
          await query('INSERT INTO ran VALUES ($1, $2)', [name, batch])
          return { items: 1, progress: { batch: batch + 1 }, done: batch === 2 }
        },
      }),
    ),
  wrong: () => [
    'SELECT name FROM ran GROUP BY name, batch HAVING count(*) <> 1',
    'SELECT name FROM ran GROUP BY name HAVING count(*) <> 2',
    'SELECT 1 WHERE (SELECT count(*) FROM ran) <> 400',
    'SELECT update_name FROM background_updates',
    'SELECT update_name FROM background_update_history GROUP BY update_name HAVING count(*) <> 1',
    "SELECT 1 WHERE (SELECT count(*) FROM background_update_history WHERE outcome = 'completed' AND batches = 2) <> 200",
  ],
  changed: 0,
}
