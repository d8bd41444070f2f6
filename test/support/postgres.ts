import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, inject } from 'vitest'
import { knownVersions, type PostgresVersion } from './postgres-binaries.js'
import { TestDatabase } from './postgres-database.js'

export type { PostgresVersion } from './postgres-binaries.js'
export type { TestDatabase } from './postgres-database.js'

const servers = inject('postgres')

/** The PostgreSQL versions of this run, oldest first. */
export const postgresVersions: readonly PostgresVersion[] = knownVersions.filter((version) => servers[version])

/** What a `describePostgres` block gets. Its databases exist inside tests and hooks, not while tests are collected. */
export interface PostgresContext {
  /** The major version, such as 15. */
  readonly version: number
  /** The block's own database, empty at first and shared by its tests. */
  readonly database: TestDatabase
  /** `database.url`. */
  readonly url: string
  /** `database.pool`. */
  readonly pool: pg.Pool
  /**
   * A further empty database (about 60 ms). It is disposed of at the end of the test that made it, or of the block
   * when a `beforeAll` made it; `dispose()` does so earlier.
   */
  freshDatabase(): Promise<TestDatabase>
}

/**
 * Repeats a `describe` block for each PostgreSQL version, each with a database of its own: `name (PostgreSQL 15)`.
 *
 * A test fails if it leaves something running in a database of its own or of the block: a connection that is neither
 * closed nor of an `openPool()`/`openClient()`, a transaction, a pool's client that wasn't released. A database is
 * dropped only if all tests that used it passed.
 */
export function describePostgres(name: string, define: (postgres: PostgresContext) => void): void {
  describe.each(postgresVersions)(`${name} (PostgreSQL %s)`, (version) => {
    const ofBlock: TestDatabase[] = []
    let current = ofBlock
    let anyFailed = false

    const freshDatabase = async () => {
      const owner = current
      const database = await TestDatabase.create(serverUrl(version))
      owner.push(database)
      return database
    }
    const blockDatabase = () => {
      const [database] = ofBlock
      if (!database) throw new Error('The database exists inside tests and hooks only, not while tests are collected')
      return database
    }

    beforeAll(async () => {
      await freshDatabase()
    })

    // The first registered of the test's end hooks runs last: what the test stops in its own has ended by then.
    beforeEach(({ onTestFinished, task }) => {
      const ofTest: TestDatabase[] = []
      current = ofTest
      onTestFinished(async () => {
        current = ofBlock
        const failed = task.result?.state === 'fail'
        const left: string[] = []
        for (const database of ofTest) left.push(...(await database.dispose({ keep: failed })))
        for (const database of ofBlock) left.push(...(await database.settle()))
        anyFailed ||= failed || left.length > 0
        if (left.length > 0) throw new Error(`The test left something running:\n${left.join('\n')}`)
      })
    })

    afterAll(async () => {
      for (const database of ofBlock) await database.dispose({ keep: anyFailed })
    })

    define({
      version: Number(version),
      get database() {
        return blockDatabase()
      },
      get url() {
        return blockDatabase().url
      },
      get pool() {
        return blockDatabase().pool
      },
      freshDatabase,
    })
  })
}

function serverUrl(version: PostgresVersion): string {
  const url = servers[version]
  if (url) return url
  throw new Error(`PostgreSQL ${version} doesn't run in this test run`)
}
