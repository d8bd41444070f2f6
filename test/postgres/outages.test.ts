import { defineUpdate, noPace } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { expect, it, vi } from 'vitest'
import { gate, installed, jumpingClock, memoryLogger, next, uninstalled } from '../engine/support.js'
import { describePostgres } from '../support/postgres.js'

describePostgres('transient loss of the database', (postgres) => {
  it('a backend that is terminated in the middle of a batch is no failure of the update', async () => {
    const { pool } = await postgres.freshDatabase()
    await pool.query('CREATE TABLE traces (n INTEGER)')
    const clock = jumpingClock()
    const logger = memoryLogger()
    let calls = 0
    const walk = defineUpdate({
      name: 'walk',
      async batch({ query }) {
        calls += 1
        await query('INSERT INTO traces VALUES ($1)', [calls])
        if (calls <= 8) await query('SELECT pg_terminate_backend(pg_backend_pid())')
        return { items: 1, done: true }
      },
    })
    const updater = await installed(
      { database: fromPg(pool) as never },
      { updates: [walk], clock, pace: noPace(), logger },
    )
    await updater.enqueue(walk)
    const complete = next(updater, 'update:complete')
    await updater.start()
    await complete
    await updater.stop()
    expect(calls).toBe(9)
    expect((await pool.query('SELECT n FROM traces')).rows).toEqual([{ n: 9 }])
    expect(await updater.history()).toMatchObject([{ outcome: 'completed', batches: 1, failures: 0 }])
    expect(logger.texts('warn')).toHaveLength(8)
    // The waits between double, up to a minute.
    expect(clock.nowMs()).toBeGreaterThan(100_000)
  })

  it('a server that turned read-only is waited for', async () => {
    const fresh = await postgres.freshDatabase()
    const admin = await fresh.openClient()
    const walk = defineUpdate({ name: 'walk', batch: async () => ({ items: 1, done: true }) })
    const before = await installed({ database: fromPg(fresh.openPool()) as never }, { updates: [walk], pace: noPace() })
    await before.enqueue(walk)
    await admin.query(`ALTER DATABASE "${fresh.name}" SET default_transaction_read_only = on`)
    // A pool of its own, each of whose sessions is read-only from its beginning.
    const logger = memoryLogger()
    const updater = uninstalled(
      { database: fromPg(fresh.openPool()) as never },
      { updates: [walk], clock: jumpingClock(), pace: noPace(), logger },
    )
    await expect(updater.runNextBatch()).rejects.toMatchObject({ code: '25006' })
    const running = updater.runToCompletion()
    await vi.waitFor(() => expect(logger.texts('warn').join()).toContain('read-only transaction'), { timeout: 20_000 })
    await admin.query(`ALTER DATABASE "${fresh.name}" RESET default_transaction_read_only`)
    await admin.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
    )
    await running
    const after = uninstalled({ database: fromPg(fresh.openPool()) as never })
    expect(await after.history()).toMatchObject([{ outcome: 'completed', failures: 0 }])
  })

  it('waitFor() waits on, without a loop of its own, until its time is over or its signal aborts', async () => {
    const fresh = await postgres.freshDatabase()
    const { pool } = fresh
    const walk = defineUpdate({ name: 'walk', batch: async () => ({ items: 1, done: true }) })
    const updater = await installed({ database: fromPg(pool) as never }, { updates: [walk], pace: noPace() })
    await updater.enqueue(walk)
    const lossy = fromPg(fresh.openPool()) as never as Parameters<typeof installed>[0]['database']
    const session = lossy.session.bind(lossy)
    let [away, losses] = [false, 0]
    const often = gate()
    const losing: typeof session = (work, options) =>
      session(async (opened) => {
        if (away) {
          losses += 1
          if (losses === 20) often.open()
          await opened.query('SELECT pg_terminate_backend(pg_backend_pid())')
        }
        return work(opened)
      }, options)
    Object.assign(lossy, { session: losing })
    const waiter = uninstalled({ database: lossy }, { pollMs: 5 })
    expect(await waiter.hasCompleted('walk')).toBe(false)
    const over = new AbortController()
    away = true
    const endOf = (wait: Promise<void>) =>
      wait.then(
        () => 'done',
        (error: unknown) => error,
      )
    const [patient, aborted, hurried] = [
      endOf(waiter.waitFor('walk')),
      endOf(waiter.waitFor('walk', { signal: over.signal })),
      endOf(waiter.waitFor('walk', { timeoutMs: 50 })),
    ]
    await often.opened
    expect(await hurried).toMatchObject({ code: 'WAIT_TIMEOUT', pending: ['walk'] })
    over.abort(new Error('enough'))
    expect(await aborted).toEqual(new Error('enough'))
    away = false
    await updater.runToCompletion()
    expect(await patient).toBe('done')
  })

  it('starts while the database is away, and says what it found when it is back', async () => {
    const fresh = await postgres.freshDatabase()
    const clock = jumpingClock()
    const walk = defineUpdate({ name: 'walk', batch: async () => ({ items: 1, done: true }) })
    const updater = await installed(
      { database: fromPg(fresh.pool) as never },
      { updates: [walk], clock, pace: noPace() },
    )
    await updater.enqueue(walk)
    let away = true
    const real = fromPg(fresh.pool) as never as Parameters<typeof installed>[0]['database']
    const refused = () => Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))
    const flaky: typeof real = {
      ...real,
      dialect: real.dialect,
      capabilities: real.capabilities,
      transaction: (fn, options) => (away ? refused() : real.transaction(fn, options)),
      session: (fn, options) => (away ? refused() : real.session(fn, options)),
      query: (tx, text, values) => real.query(tx, text, values),
      close: () => real.close(),
    }
    const logger = memoryLogger()
    const { BackgroundUpdater } = await import('evenkeel')
    const late = new BackgroundUpdater<never>({ database: flaky, updates: [walk], clock, pace: noPace(), logger })
    const started = next(late, 'updater:start')
    const complete = next(late, 'update:complete')
    await late.start()
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    away = false
    expect(await started).toEqual({ databaseName: 'main', unknownRows: [], unknownDependencies: [], cycles: [] })
    await complete
    await late.stop()
    expect(logger.texts('warn')[0]).toContain('the database is away')
  })
})
