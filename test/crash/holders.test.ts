import { BackgroundUpdater, noPace } from 'evenkeel'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { memoryLogger, next } from '../engine/support.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'
import { bundleProgram } from './support/runner-bundle.js'
import { startRunner } from './support/runner-job.js'
import { slowWalk } from './support/scenarios/slow.js'
import { postgresStage } from './support/stage-postgres.js'

const LEASE_MS = 500

describePostgres('a holder that is', (postgres) => {
  let bundle: Awaited<ReturnType<typeof bundleProgram>>
  beforeAll(async () => {
    bundle = await bundleProgram('runner-process')
  })
  afterAll(() => bundle.remove())

  /** Another process, in the middle of the walk. */
  async function holding(database: TestDatabase) {
    const stage = postgresStage(database.pool, database.url)
    await stage.reset(slowWalk)
    const job = { scenario: slowWalk.name, dialect: 'postgres', database: database.url, death: null } as const
    const holder = startRunner(bundle.file, { ...job, leaseMs: LEASE_MS })
    onTestFinished(async () => {
      holder.child.kill('SIGKILL')
      await holder.ended.catch(() => {})
    })
    const begun = async () =>
      expect(await stage.rows('SELECT 1 FROM background_updates WHERE batches > 2')).toHaveLength(1)
    await vi.waitFor(begun, { timeout: 30_000, interval: 5 })
    return { stage, holder }
  }

  function heirOf(stage: Awaited<ReturnType<typeof holding>>['stage']) {
    const database = stage.open()
    const updates = slowWalk.updates('postgres')
    const logger = memoryLogger()
    const heir = new BackgroundUpdater({ database, updates, pace: noPace(), leaseMs: LEASE_MS, pollMs: 20, logger })
    onTestFinished(() => heir.stop({ graceMs: 0 }))
    return heir
  }

  async function expectAllOnce(stage: Awaited<ReturnType<typeof holding>>['stage']) {
    for (const sql of slowWalk.wrong('postgres'))
      expect({ sql, rows: await stage.rows(sql) }).toEqual({ sql, rows: [] })
  }

  it('killed is taken over when its lease has run out by the clock of the database, not before', async () => {
    const database = await postgres.freshDatabase()
    const { stage, holder } = await holding(database)
    const heir = heirOf(stage)
    const taken = next(heir as never, 'lease:taken')
    holder.child.kill('SIGKILL')
    expect(await holder.ended).toBeNull()
    const [held] = await stage.rows('SELECT lease_expires_at AS until FROM background_updates')
    await heir.start()
    await taken
    const [row] = await stage.rows('SELECT clock_timestamp() AS now')
    expect((row?.now as Date).getTime()).toBeGreaterThanOrEqual((held?.until as Date).getTime())
    await heir.waitFor('double')
    await expectAllOnce(stage)
  })

  it('frozen past its lease cannot commit when it wakes up, and ends in peace', async () => {
    const database = await postgres.freshDatabase()
    const { stage, holder } = await holding(database)
    holder.child.kill('SIGSTOP')
    await heirOf(stage).runToCompletion()
    await expectAllOnce(stage)
    holder.child.kill('SIGCONT')
    expect(await holder.ended).not.toBeNull()
    await expectAllOnce(stage)
  })
})
