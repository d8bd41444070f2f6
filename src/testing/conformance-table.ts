import type { Database } from '../databases/database.js'

/** One case of the suite: rejects when the driver doesn't do what it must. */
export type Check<Tx> = (database: Database<Tx>) => Promise<void>

/** The table that the cases use. */
export const TABLE = 'evenkeel_conformance'

/** The ids that are in it, in their order. */
export async function ids<Tx>(database: Database<Tx>): Promise<number[]> {
  const { rows } = await database.session(({ query }) => query<{ id: number }>(`SELECT id FROM ${TABLE} ORDER BY id`))
  return rows.map((row) => Number(row.id))
}
