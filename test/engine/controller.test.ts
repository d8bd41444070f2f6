import { emaTuner, fixedPace, noPace, type ControllerHandle } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { gate, installed, jumpingClock, memoryLogger, next, noting, update } from './support.js'

describeDatabases('controller', ({ fresh, dialect }) => {
  it('an acquisition that is pending keeps the batch from starting; it is disposed of after the batch', async () => {
    const order: string[] = []
    const asked = gate()
    const grant = gate()
    const a = update('a', async ({ targetMs }) => {
      order.push(`batch at ${targetMs}`)
      return { items: 1, done: true }
    })
    const updater = await installed(await fresh(), { updates: [a], databaseName: 'shard' })
    updater.registerController({
      async onUpdate(info) {
        order.push(`asked ${JSON.stringify(info)}`)
        asked.open()
        await grant.opened
        return {
          targetMs: 42,
          async [Symbol.asyncDispose](error?: unknown) {
            await Promise.resolve()
            order.push(`disposed ${String(error)}`)
          },
        }
      },
    })
    await updater.enqueue(a)
    const batch = updater.runNextBatch()
    await asked.opened
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate)
    expect(order).toEqual(['asked {"databaseName":"shard","updateName":"a","oneShot":false}'])
    expect((await updater.databaseStatus()).updates).toMatchObject([
      { waiting: { code: 'controller', text: 'waits for the controller' } },
    ])
    grant.open()
    await batch
    expect(order.slice(1)).toEqual(['batch at 42', 'disposed undefined'])
  })

  it('is told the error of a batch that failed, and its own target decides the size', async () => {
    const clock = jumpingClock()
    const told: unknown[] = []
    const sizes: number[] = []
    let targetMs = 100
    const walk = update('walk', async ({ batchSize }) => {
      sizes.push(batchSize)
      clock.pass(1000)
      if (sizes.length === 2) throw new Error('boom')
      return { items: batchSize, progress: { n: sizes.length } }
    })
    const updater = await installed(await fresh(), { updates: [walk], clock, tuner: emaTuner() })
    updater.registerController({
      onUpdate: () => ({ targetMs, [Symbol.asyncDispose]: (error?: unknown) => void told.push(error) }),
      defaultBatchSize: 20,
      minBatchSize: 3,
    })
    await updater.enqueue(walk)
    await updater.runNextBatch()
    targetMs = 500
    await updater.runNextBatch()
    clock.pass(5000)
    targetMs = 50
    await updater.runNextBatch()
    // 20 in 1000 ms: 10 at 500 ms; at 50 ms 1, where the controller's minimum wins.
    expect(sizes).toEqual([20, 10, 3])
    expect(told).toEqual([undefined, new Error('boom'), undefined])
  })

  it('is told the error also when the batch never began', async () => {
    const told: unknown[] = []
    const broken = update('broken', async () => ({ items: 1 }), {
      tuner: () => {
        throw new Error('no tuner today')
      },
    })
    const updater = await installed(await fresh(), { updates: [broken] })
    updater.registerController({
      onUpdate: () => ({ targetMs: 100, [Symbol.asyncDispose]: (error?: unknown) => void told.push(error) }),
    })
    await updater.enqueue(broken)
    await updater.runNextBatch()
    expect(told).toEqual([new Error('no tuner today')])
  })

  it('asks for sizes by function, too, and wins over the options', async () => {
    const sizes: number[] = []
    const walk = update('walk', async ({ batchSize }) => (sizes.push(batchSize), { items: 0, done: true }))
    const updater = await installed(await fresh(), { updates: [walk], defaultBatchSize: 77, maxBatchSize: 80 })
    updater.registerController({
      onUpdate: () => ({ targetMs: 100, async [Symbol.asyncDispose]() {} }),
      defaultBatchSize: ({ updateName }) => updateName.length,
      minBatchSize: async () => 2,
    })
    await updater.enqueue(walk)
    await updater.runNextBatch()
    expect(sizes).toEqual([4])
  })

  it('switches the built-in pacing off', async () => {
    const clock = jumpingClock()
    const updater = await installed(await fresh(), { updates: [noting([], 'a')], clock, pace: fixedPace() })
    updater.registerController({ onUpdate: () => ({ targetMs: 100, async [Symbol.asyncDispose]() {} }) })
    await updater.enqueue('a')
    const complete = next(updater, 'update:complete')
    await updater.start()
    await complete
    expect(clock.sleeps).toEqual([])
  })

  it('a second registration is refused with a warning', async () => {
    const logger = memoryLogger()
    const asked: string[] = []
    const updater = await installed(await fresh(), { updates: [noting([], 'a')], logger })
    const named = (name: string) => ({
      onUpdate(): ControllerHandle {
        asked.push(name)
        return { targetMs: 100, async [Symbol.asyncDispose]() {} }
      },
    })
    updater.registerController(named('first'))
    expect(logger.texts('warn')).toEqual([])
    updater.registerController(named('second'))
    expect(logger.texts('warn')).toHaveLength(1)
    await updater.enqueue('a')
    await updater.runNextBatch()
    expect(asked).toEqual(['first'])
  })

  it.each([
    ['throws', () => Promise.reject(new Error('no permission'))],
    ['returns nothing', () => undefined],
    ['returns what cannot be disposed of', () => ({ targetMs: 100 })],
    ['returns a target of 0', () => ({ targetMs: 0, async [Symbol.asyncDispose]() {} })],
    ['returns a target of NaN', () => ({ targetMs: NaN, async [Symbol.asyncDispose]() {} })],
  ])('one that %s delays the update with back-off, says so, and is not its failure', async (_name, onUpdate) => {
    const clock = jumpingClock()
    const logger = memoryLogger()
    const ran: string[] = []
    const updater = await installed(await fresh(), { updates: [noting(ran, 'a'), noting(ran, 'b')], clock, logger })
    let broken = true
    updater.registerController({
      onUpdate: ({ updateName }) =>
        broken && updateName === 'a' ? (onUpdate() as never) : { targetMs: 100, async [Symbol.asyncDispose]() {} },
    })
    await updater.enqueue('a')
    await updater.enqueue('b')
    expect((await updater.runNextBatch()).ran).toBeNull()
    expect((await updater.runNextBatch()).ran).toBe('b')
    expect((await updater.runNextBatch()).ran).toBeNull()
    expect((await updater.databaseStatus()).updates).toMatchObject([
      {
        failures: 0,
        state: 'queued',
        owner: null,
        waiting: { code: 'controller', text: expect.stringContaining('delays update "a"') as string },
      },
    ])
    expect(logger.texts('warn')).toHaveLength(1)
    clock.pass(1_200)
    await updater.runNextBatch()
    expect(logger.texts('warn')).toHaveLength(2)
    // Longer now.
    clock.pass(1_200)
    await updater.runNextBatch()
    expect(logger.texts('warn')).toHaveLength(2)
    broken = false
    clock.pass(1_300)
    expect((await updater.runNextBatch()).ran).toBe('a')
    expect((await updater.history()).map(({ failures }) => failures)).toEqual([0, 0])
  })

  it('one whose disposal throws is logged and harms nobody', async () => {
    const logger = memoryLogger()
    const updater = await installed(await fresh(), { updates: [noting([], 'a')], logger })
    updater.registerController({
      onUpdate: () => ({ targetMs: 100, [Symbol.asyncDispose]: () => Promise.reject(new Error('cannot let go')) }),
    })
    await updater.enqueue('a')
    expect(await updater.runNextBatch()).toEqual({ ran: 'a', complete: true })
    expect(logger.texts('error')).toHaveLength(1)
  })

  it('refuses what makes no sense at registration', async () => {
    const updater = await installed(await fresh())
    const onUpdate = () => ({ targetMs: 100, async [Symbol.asyncDispose]() {} })
    for (const bad of [
      null,
      {},
      { onUpdate: 5 },
      { onUpdate, defaultBatchSize: 0 },
      { onUpdate, minBatchSize: 1.5 },
      { onUpdate, minBatchSize: NaN },
      { onUpdate, deafultBatchSize: 5 },
    ]) {
      expect(() => updater.registerController(bad as never), JSON.stringify(bad)).toThrow(
        expect.objectContaining({ code: 'CONFIGURATION' }) as Error,
      )
    }
    expect(() => updater.registerController({ onUpdate })).not.toThrow()
  })

  it('the wait for it is not batch time', async () => {
    const clock = jumpingClock()
    const updater = await installed(await fresh(), { updates: [noting([], 'a')], clock, pace: noPace() })
    updater.registerController({
      async onUpdate() {
        clock.pass(60_000)
        return { targetMs: 100, async [Symbol.asyncDispose]() {} }
      },
    })
    await updater.enqueue('a')
    const done = next(updater, 'batch:success')
    await updater.runNextBatch()
    expect(await done).toEqual({
      databaseName: 'main',
      updateName: 'a',
      items: 1,
      durationMs: 0,
      batchSize: 100,
      done: true,
    })
  })

  if (dialect === 'sqlite') return

  it('a lease that ran out while it was asked is taken back or lost, never committed twice', async () => {
    const database = await fresh()
    const ran: string[] = []
    const asked = gate()
    const grant = gate()
    const slow = await installed(database, { updates: [noting(ran, 'a')], leaseMs: 3_600_000, owner: 'slow' })
    const quick = await installed(
      { database: database.another() },
      { updates: [noting(ran, 'a')], owner: 'quick', pollMs: 1 },
    )
    slow.registerController({
      async onUpdate() {
        asked.open()
        await grant.opened
        return { targetMs: 100, async [Symbol.asyncDispose]() {} }
      },
    })
    await slow.enqueue('a')
    const batch = slow.runNextBatch()
    await asked.opened
    await database.query("UPDATE background_updates SET lease_expires_at = clock_timestamp() - INTERVAL '1 second'")
    await quick.runToCompletion()
    grant.open()
    expect((await batch).ran).toBeNull()
    expect(ran).toEqual(['a'])
  })
})
