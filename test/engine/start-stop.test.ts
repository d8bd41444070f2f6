import { fixedPace, noPace } from 'evenkeel'
import { fakeClock } from 'evenkeel/testing'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { gate, installed, memoryLogger, next, noting, observed, uninstalled, update } from './support.js'

/** Waits until the batch was told to give up, as a well-behaved handler does. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  )
}

describeDatabases('start and stop', ({ fresh, dialect }) => {
  it('called twice share one promise, and start after stop works', async () => {
    const ran: string[] = []
    const updater = await installed(await fresh(), { updates: [noting(ran, 'a')], pace: noPace() })
    const started = updater.start()
    expect(updater.start()).toBe(started)
    await started
    const stopped = updater.stop()
    expect(updater.stop()).toBe(stopped)
    await stopped
    await updater.enqueue('a')
    const complete = next(updater, 'update:complete')
    await updater.start()
    await complete
    await updater.stop()
    await updater.stop()
    expect(ran).toEqual(['a'])
  })

  it('start during stop begins again, stop during start ends it', async () => {
    const ran: string[] = []
    const updater = await installed(await fresh(), { updates: [noting(ran, 'a')], pace: noPace() })
    const events: string[] = []
    updater.on('updater:start', () => events.push('start')).on('updater:stop', () => events.push('stop'))
    await updater.start()
    await next(updater, 'updater:idle')
    const stopping = updater.stop()
    const starting = updater.start()
    expect(updater.start()).toBe(starting)
    await Promise.all([stopping, starting])
    await updater.enqueue('a')
    await next(updater, 'update:complete')
    expect(events).toEqual(['start', 'stop', 'start'])
    void updater.stop()
    void updater.start()
    await updater.stop()
    expect((await updater.databaseStatus()).status).toBe('COMPLETE')
    expect(ran).toEqual(['a'])
  })

  it('without an await, a start that fails is logged and no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const listener = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listener)
    try {
      const logger = memoryLogger()
      const updater = uninstalled(await fresh(), { logger })
      void updater.start()
      await expect(updater.start()).rejects.toMatchObject({ code: 'NOT_INSTALLED' })
      for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate)
      expect(unhandled).toEqual([])
      expect(logger.texts('error')).toHaveLength(1)
      await updater.stop()
      await updater.install()
      await updater.start()
    } finally {
      process.off('unhandledRejection', listener)
    }
  })

  it('stop ends a pause at once', async () => {
    const clock = fakeClock()
    const ran: string[] = []
    const updater = await installed(await fresh(), {
      updates: [noting(ran, 'a')],
      clock,
      pace: fixedPace({ sleepMs: 3_600_000 }),
    })
    await updater.enqueue('a')
    await updater.start()
    await clock.sleeping()
    await updater.stop()
    expect(ran).toEqual([])
  })

  it('stop that comes while the queue is read ends the pause that would follow', async () => {
    const database = await fresh()
    const clock = fakeClock()
    let stopping: Promise<void> | undefined
    // The statement that reads the switch stands at the beginning of every look.
    const watched = observed(database.database, (text) => {
      if (started && text.includes('background_update_settings')) stopping ??= updater.stop()
    })
    let started = false
    const updater = await installed({ database: watched }, { updates: [noting([], 'a')], clock, pace: fixedPace() })
    await updater.enqueue('a')
    started = true
    await updater.start()
    await next(updater, 'updater:stop')
    await stopping
  })

  it('stop ends an idle wait and a wait for the controller at once', async () => {
    const asked = gate()
    const updater = await installed(await fresh(), { updates: [noting([], 'a')], pollMs: 3_600_000 })
    await updater.start()
    await next(updater, 'updater:idle')
    await updater.stop()
    let disposed = 0
    const late = gate()
    updater.registerController({
      async onUpdate() {
        asked.open()
        await late.opened
        return {
          targetMs: 100,
          async [Symbol.asyncDispose]() {
            disposed += 1
          },
        }
      },
    })
    await updater.enqueue('a')
    await updater.start()
    await asked.opened
    await updater.stop()
    // A permission that comes too late is given back.
    late.open()
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate)
    expect(disposed).toBe(1)
    expect(await updater.hasCompleted('a')).toBe(false)
  })

  it('stop lets the running batch finish', async () => {
    const running = gate()
    const finish = gate()
    const slow = update('slow', async () => {
      running.open()
      await finish.opened
      return { items: 1, progress: { batch: 1 } }
    })
    const updater = await installed(await fresh(), { updates: [slow], pace: noPace() })
    await updater.enqueue(slow)
    await updater.start()
    await running.opened
    const stopped = updater.stop({ graceMs: 60_000 })
    finish.open()
    await stopped
    expect((await updater.databaseStatus()).updates).toMatchObject([
      { state: 'queued', batches: 1, failures: 0, progress: { batch: 1 }, owner: null },
    ])
  })

  it.each(['start', 'runToCompletion', 'runNextBatch'] as const)(
    '%s: after the grace the batch is cancelled and rolled back, and no failure',
    async (how) => {
      const database = await fresh()
      await database.query('CREATE TABLE traces (n INTEGER)')
      const running = gate()
      const endless = update('endless', async ({ query, signal }) => {
        await query('INSERT INTO traces VALUES (1)')
        running.open()
        if (dialect === 'postgres') await query('SELECT pg_sleep(600)')
        else await untilAborted(signal)
        return { items: 1, done: true }
      })
      const updater = await installed(database, { updates: [endless], pace: noPace() })
      await updater.enqueue(endless)
      const call = how === 'start' ? updater.start() : updater[how]()
      const outcome = call.then(
        (value) => value ?? 'fulfilled',
        (error: unknown) => error,
      )
      await running.opened
      await updater.stop({ graceMs: 0 })
      if (how === 'runToCompletion') expect(await outcome).toMatchObject({ code: 'UPDATER_STOPPED' })
      if (how === 'runNextBatch') expect(await outcome).toEqual({ ran: null, complete: false })
      expect((await database.query('SELECT n FROM traces')).rows).toEqual([])
      expect((await updater.databaseStatus()).updates).toMatchObject([
        { state: 'queued', batches: 0, failures: 0, owner: null, lastError: null },
      ])
    },
  )

  it('a second stop with a shorter grace counts', async () => {
    const running = gate()
    const endless = update('endless', async ({ query, signal }) => {
      running.open()
      if (dialect === 'postgres') await query('SELECT pg_sleep(600)')
      else await untilAborted(signal)
    })
    const updater = await installed(await fresh(), { updates: [endless], pace: noPace() })
    await updater.enqueue(endless)
    await updater.start()
    await running.opened
    const patient = updater.stop({ graceMs: 3_600_000 })
    expect(updater.stop({ graceMs: 0 })).toBe(patient)
    await patient
    await expect(updater.stop({ graceMs: -1 })).rejects.toMatchObject({ code: 'CONFIGURATION' })
    await expect(updater.stop({ graceMs: NaN })).rejects.toMatchObject({ code: 'CONFIGURATION' })
  })

  it('Symbol.asyncDispose stops', async () => {
    const stopped: unknown[] = []
    const updater = await installed(await fresh(), { updates: [] })
    updater.on('updater:stop', (event) => stopped.push(event))
    await updater.start()
    await updater[Symbol.asyncDispose]()
    expect(stopped).toEqual([{ databaseName: 'main', error: null }])
  })

  it('leaves no timer behind that would keep the process alive', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const updater = await installed(await fresh(), { updates: [noting([], 'a')], pace: noPace() })
    await updater.enqueue('a')
    await updater.start()
    await next(updater, 'updater:idle')
    await updater.stop({ graceMs: 3_600_000 })
    // A pool may keep timers for its idle connections.
    if (dialect === 'sqlite') expect(timers()).toBeLessThanOrEqual(before)
  })
})
