import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describePostgres, postgresVersions } from '../support/postgres.js'
import { temporaryDirectory } from '../support/sqlite.js'
import { queueUnderFire, seeded } from './support/queue-under-fire.js'
import { bundleProgram } from './support/runner-bundle.js'
import { postgresStage } from './support/stage-postgres.js'
import { sqliteStage } from './support/stage-sqlite.js'

let bundle: Awaited<ReturnType<typeof bundleProgram>>
beforeAll(async () => {
  bundle = await bundleProgram('runner-process')
})
afterAll(() => bundle.remove())

const seed = Date.now() % 1_000_000
const name = `every update is done once, whoever dies (seed ${seed})`

describe('several runners on a queue of 200 updates (SQLite)', () => {
  it(name, { timeout: 300_000 }, async () => {
    const stage = sqliteStage(path.join(temporaryDirectory(), 'queue.db'))
    expect(await queueUnderFire(bundle.file, stage, { runners: 2, kills: 6, random: seeded(seed) })).toBeGreaterThan(2)
  })
})

const newest = Number(postgresVersions.at(-1))

describePostgres('several runners on a queue of 200 updates', (postgres) => {
  const [runners, kills] = postgres.version === newest ? [8, 20] : [2, 4]

  it(name, { timeout: 300_000 }, async () => {
    const { pool, url } = await postgres.freshDatabase()
    const stage = postgresStage(pool, url)
    const dead = await queueUnderFire(bundle.file, stage, { runners, kills, random: seeded(seed) })
    expect(dead).toBeGreaterThan(kills / 4)
  })
})
