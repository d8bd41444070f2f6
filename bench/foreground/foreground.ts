import type { Part } from '../bench.js'
import { foregroundOnPostgres } from './postgres/postgres.js'
import { foregroundOnSqlite } from './sqlite/sqlite.js'

/** What an application feels of a backfill beside it. */
export const foreground: Part = {
  name: 'foreground',
  run: async (bench) => [...(await foregroundOnPostgres(bench)), ...(await foregroundOnSqlite(bench))],
}
