import { noPace, UpdaterStatus } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { gate, installed, jumpingClock, next, noting, uninstalled, update } from './support.js'

describeDatabases('status', ({ fresh }) => {
  it('has the numbers of metrics and the names of people', () => {
    expect(UpdaterStatus).toEqual({ ABORTED: -1, DISABLED: 0, NOT_STARTED: 1, RUNNING_UPDATE: 2, COMPLETE: 3 })
  })

  it('has the one shape of api.md', async () => {
    const database = await fresh()
    const clock = jumpingClock()
    const walk = update(
      'walk',
      async () => {
        clock.pass(50)
        return { items: 10, progress: { at: 1 } }
      },
      { report: () => ({ fraction: 0.25 }), dependsOn: 'earlier', ordering: 4 },
    )
    const updater = await installed(database, { updates: [walk], clock, databaseName: 'shard' })
    await updater.enqueue(walk)
    const before = await updater.status()
    expect(Object.keys(before)).toEqual(['databases'])
    expect(before.databases.shard).toMatchObject({
      status: 'NOT_STARTED',
      statusCode: 1,
      enabled: true,
      current: null,
      updates: [
        {
          name: 'walk',
          state: 'queued',
          ordering: 4,
          dependsOn: ['earlier'],
          oneShot: false,
          progress: {},
          fraction: 0.25,
          items: 0,
          batches: 0,
          failures: 0,
          batchSize: null,
          itemsPerSecond: null,
          etaSeconds: null,
          waiting: null,
          lastError: null,
          owner: null,
          performance: {
            totalItems: 0,
            totalDurationMs: 0,
            averageItemsPerMs: null,
            totalItemsPerMs: null,
            batches: 0,
            failures: 0,
          },
        },
      ],
    })
    await updater.runNextBatch()
    expect((await updater.databaseStatus()).updates).toMatchObject([
      {
        progress: { at: 1 },
        items: 10,
        batches: 1,
        batchSize: 100,
        itemsPerSecond: 200,
        performance: { totalItems: 10, totalDurationMs: 50, averageItemsPerMs: 0.2, totalItemsPerMs: 0.2 },
      },
    ])
    expect(JSON.parse(JSON.stringify(await updater.status()))).toEqual(await updater.status())
    expect(await updater.performance('not queued')).toBeNull()
  })

  it('goes from NOT_STARTED over RUNNING_UPDATE to COMPLETE', async () => {
    const running = gate()
    const finish = gate()
    const slow = update('slow', async () => {
      running.open()
      await finish.opened
      return { items: 1, done: true }
    })
    const updater = await installed(await fresh(), { updates: [slow], pace: noPace() })
    const status = async () => (await updater.databaseStatus()).status
    expect(await status()).toBe('COMPLETE')
    await updater.enqueue(slow)
    expect(await status()).toBe('NOT_STARTED')
    const idle = next(updater, 'updater:idle')
    await updater.start()
    await running.opened
    expect(await updater.currentUpdate()).toBe('slow')
    finish.open()
    await idle
    expect(await status()).toBe('COMPLETE')
    expect(await updater.currentUpdate()).toBeNull()
  })

  it('is ABORTED while nothing can run and a person is needed, and no longer than that', async () => {
    const database = await fresh()
    const broken = update('broken', () => Promise.reject(new Error('boom')), { maxAttempts: 1 })
    const updater = await installed(database, { updates: [broken, noting([], 'good'), noting([], 'behind')] })
    await updater.enqueue(broken)
    await updater.enqueue('behind', { dependsOn: 'broken' })
    await updater.enqueue('good')
    const status = async () => (await updater.databaseStatus()).status
    await updater.runNextBatch()
    // "good" can still run.
    expect(await status()).toBe('NOT_STARTED')
    await updater.runNextBatch()
    expect(await status()).toBe('ABORTED')
    // Also for a process that only looks.
    expect((await uninstalled({ database: database.another() }, { updates: [broken] }).databaseStatus()).status).toBe(
      'ABORTED',
    )
    await updater.cancel('broken')
    expect(await status()).toBe('NOT_STARTED')
    await updater.runToCompletion()
    expect(await status()).toBe('COMPLETE')
  })

  it('a report that throws, and rows of nonsense, hide nothing', async () => {
    const database = await fresh()
    const odd = update('odd', async () => ({ items: 1 }), {
      report: () => {
        throw new Error('no idea')
      },
    })
    const updater = await installed(database, { updates: [odd] })
    await database.query(
      "INSERT INTO background_updates (update_name, progress_json, depends_on, tuner_json, statistics_json) VALUES ('odd', 'xx', ',,', '{', '[{')",
    )
    expect((await updater.databaseStatus()).updates).toMatchObject([
      { name: 'odd', progress: {}, dependsOn: [], fraction: null, etaSeconds: null, itemsPerSecond: null },
    ])
  })
})
