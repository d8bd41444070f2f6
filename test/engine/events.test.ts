import { fixedPace, type UpdaterEvents } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { installed, jumpingClock, next, noting, update } from './support.js'

const NAMES: (keyof UpdaterEvents)[] = [
  'updater:start',
  'updater:stop',
  'updater:idle',
  'update:start',
  'update:complete',
  'update:fail',
  'update:pause',
  'update:resume',
  'update:cancel',
  'update:retry',
  'update:stall',
  'batch:start',
  'batch:success',
  'batch:failure',
  'pace:change',
  'lease:taken',
  'lease:lost',
  'queue:change',
]

describeDatabases('events', ({ fresh }) => {
  it('tell one object each, in the order in which things happen', async () => {
    const clock = jumpingClock()
    const events: [string, object][] = []
    let batches = 0
    const walk = update('walk', async () => {
      clock.pass(5)
      if ((batches += 1) === 2) throw new Error('boom')
      return { items: 3, progress: { batches }, done: batches === 3 }
    })
    const updater = await installed(await fresh(), {
      updates: [walk],
      clock,
      pace: fixedPace(),
      owner: 'me',
      targetMs: 100,
    })
    for (const name of NAMES) updater.on(name, (...event) => events.push([name, ...event]))
    await updater.enqueue(walk)
    const empty = new Promise<void>((resolve) => {
      updater.on('updater:idle', ({ complete }) => complete && resolve())
    })
    await updater.start()
    await empty
    await updater.stop()
    const identity = { databaseName: 'main', updateName: 'walk' }
    const kept = events.filter(([name]) => !['updater:idle', 'queue:change', 'pace:change'].includes(name))
    expect(kept).toEqual([
      ['updater:start', { databaseName: 'main', unknownRows: [], unknownDependencies: [], cycles: [] }],
      ['lease:taken', { ...identity, owner: 'me' }],
      ['update:start', identity],
      ['batch:start', { ...identity, batchSize: 100, targetMs: 100 }],
      ['batch:success', { ...identity, items: 3, durationMs: 5, batchSize: 100, done: false }],
      ['batch:start', { ...identity, batchSize: expect.any(Number) as number, targetMs: 100 }],
      [
        'batch:failure',
        { ...identity, error: new Error('boom'), attempts: 1, backOffMs: expect.any(Number) as number },
      ],
      ['lease:taken', { ...identity, owner: 'me' }],
      ['batch:start', { ...identity, batchSize: expect.any(Number) as number, targetMs: 100 }],
      ['batch:success', { ...identity, items: 3, durationMs: 5, batchSize: expect.any(Number) as number, done: true }],
      ['update:complete', { ...identity, outcome: 'completed' }],
      ['updater:stop', { databaseName: 'main', error: null }],
    ])
    expect(events.filter(([name]) => name === 'pace:change')[0]?.[1]).toEqual({
      ...identity,
      pauseMs: 1000,
      reason: 'duty',
      why: 'sleeps 1000 ms before every batch',
    })
    expect(events.filter(([name]) => name === 'updater:idle').at(-1)?.[1]).toEqual({
      databaseName: 'main',
      complete: true,
    })
  })

  it('of control carry who and why', async () => {
    const events: [string, object][] = []
    const updater = await installed(await fresh(), { updates: [noting([], 'a')] })
    for (const name of NAMES) updater.on(name, (event) => events.push([name, event]))
    await updater.enqueue('a')
    await updater.pause('a', { by: 'ann', reason: 'why not' })
    await updater.resume('a', { by: 'ann' })
    await updater.retry('a', { by: 'ann' })
    await updater.cancel('a')
    const identity = { databaseName: 'main', updateName: 'a' }
    expect(events).toEqual([
      ['update:pause', { ...identity, by: 'ann', reason: 'why not', error: null }],
      ['update:resume', { ...identity, by: 'ann' }],
      ['update:retry', { ...identity, by: 'ann' }],
      ['update:cancel', { ...identity, by: null, reason: null }],
    ])
  })

  it('on, once and off do what their names say', async () => {
    const heard: string[] = []
    const updater = await installed(await fresh(), { updates: [noting([], 'a')] })
    const off = () => heard.push('off')
    updater
      .on('update:retry', () => heard.push('on'))
      .once('update:retry', () => heard.push('once'))
      .on('update:retry', off)
      .off('update:retry', off)
    await updater.enqueue('a')
    await updater.retry('a')
    await updater.retry('a')
    expect(heard).toEqual(['on', 'once', 'on'])
  })

  it('a listener and a logger that throw or reject harm nobody', async () => {
    const unhandled: unknown[] = []
    const listener = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listener)
    try {
      const broken = () => {
        throw new Error('logger')
      }
      const clock = jumpingClock()
      const ran: string[] = []
      const failing = update('failing', () => Promise.reject(new Error('boom')), { maxAttempts: 2 })
      const updater = await installed(await fresh(), {
        updates: [noting(ran, 'a'), failing],
        clock,
        logger: {
          debug: broken,
          info: () => Promise.reject(new Error('async logger')) as never,
          warn: broken,
          error: broken,
        },
      })
      for (const name of NAMES) {
        updater.on(name, () => {
          throw new Error('listener')
        })
        updater.on(name, () => Promise.reject(new Error('async listener')) as never)
      }
      await updater.enqueue('a')
      await updater.enqueue(failing)
      const failed = next(updater, 'update:fail')
      await updater.start()
      await failed
      await updater.stop()
      for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate)
      expect(ran).toEqual(['a'])
      expect(await updater.history()).toMatchObject([{ name: 'a', outcome: 'completed' }])
      expect(unhandled).toEqual([])
    } finally {
      process.off('unhandledRejection', listener)
    }
  })
})
