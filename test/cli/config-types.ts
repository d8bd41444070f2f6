import pg, { type PoolClient } from 'pg'
import { backfill, createIndex, defineConfig, defineUpdate } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'

// Nothing here runs: the compiler is the test.

const typed = defineUpdate<PoolClient, { id: number }>({
  name: 'typed',
  batch: async ({ progress }) => ({ items: 1, progress: { id: progress.id + 1 } }),
})

export const one = defineConfig({
  database: fromPg(new pg.Pool()),
  targetMs: 50,
  updates: [
    typed,
    backfill({ name: 'fill', table: 't', set: { a: '1' } }),
    createIndex({ name: 'index', index: 'i', table: 't', columns: ['a'], dependsOn: 'fill' }),
  ],
})

export const several = defineConfig({
  databases: {
    main: { database: () => fromBetterSqlite3('main.db'), updates: [typed] },
    state: { database: async () => fromPg(new pg.Pool()) },
    archive: { database: 'postgres://localhost/archive' },
    elsewhere: {},
  },
})

// @ts-expect-error -- `updates` is misspelt
export const misspelt = defineConfig({ database: 'app.db', update: [] })

// @ts-expect-error -- the name of a database is its key
export const named = defineConfig({ databases: { main: { databaseName: 'main' } } })
