import { noPace } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { gate, installed, jumpingClock, noting, uninstalled, update } from './support.js'

const failing = update('failing', () => Promise.reject(new Error('boom')), { maxAttempts: 1 })

describeDatabases('waitFor', ({ fresh }) => {
  it('resolves from another process, which has no handlers, when the queue has done it', async () => {
    const database = await fresh()
    const runner = await installed(database, { updates: [noting([], 'a'), noting([], 'b')], pace: noPace() })
    const waiter = uninstalled({ database: database.another() })
    await runner.enqueue('a')
    await runner.enqueue('b', { dependsOn: 'a' })
    const waiting = waiter.waitFor(['a', { name: 'b' }])
    await runner.start()
    await waiting
    expect(await waiter.hasCompleted('a', 'b')).toBe(true)
  })

  it('resolves at once for what is not queued', async () => {
    const updater = await installed(await fresh())
    await updater.waitFor('never heard of')
    await updater.waitFor([])
  })

  it('rejects when the update, or what it depends on, has failed', async () => {
    const updater = await installed(await fresh(), { updates: [failing, noting([], 'next'), noting([], 'last')] })
    await updater.enqueue(failing)
    await updater.enqueue('next', { dependsOn: 'failing' })
    await updater.enqueue('last', { dependsOn: 'next' })
    await updater.runNextBatch()
    await expect(updater.waitFor('failing')).rejects.toMatchObject({
      code: 'UPDATE_FAILED',
      updateName: 'failing',
      message: 'update "failing": failed 1 time: boom',
    })
    await expect(updater.waitFor('last')).rejects.toMatchObject({
      code: 'UPDATE_FAILED',
      updateName: 'last',
      message: expect.stringContaining('boom') as string,
    })
  })

  it('rejects when it fails while it is waited for', async () => {
    const database = await fresh()
    const runner = await installed(database, { updates: [failing], pace: noPace(), clock: jumpingClock() })
    await runner.enqueue(failing)
    const waiting = uninstalled({ database: database.another() }).waitFor('failing')
    const refused = expect(waiting).rejects.toMatchObject({ code: 'UPDATE_FAILED' })
    await runner.start()
    await refused
  })

  it('rejects when it is or was cancelled, until it is enqueued again and done', async () => {
    const database = await fresh()
    const updater = await installed(database, { updates: [noting([], 'a')] })
    await updater.enqueue('a')
    const refused = expect(uninstalled({ database: database.another() }).waitFor('a')).rejects.toMatchObject({
      code: 'UPDATE_CANCELLED',
      updateName: 'a',
    })
    await updater.cancel('a')
    await refused
    await expect(updater.waitFor('a')).rejects.toMatchObject({ code: 'UPDATE_CANCELLED' })
    await updater.enqueue('a')
    await updater.runToCompletion()
    await updater.waitFor('a')
  })

  it('rejects for a cycle, but waits for what is paused', async () => {
    const updater = await installed(await fresh(), { updates: ['a', 'b', 'c'].map((name) => noting([], name)) })
    await updater.enqueue('a', { dependsOn: 'b' })
    await updater.enqueue('b', { dependsOn: 'a' })
    await updater.enqueue('c')
    await updater.pause('c')
    await expect(updater.waitFor('a')).rejects.toMatchObject({
      code: 'UPDATE_FAILED',
      message: expect.stringContaining('a → b → a') as string,
    })
    await expect(updater.waitFor('c', { timeoutMs: 5 })).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
      pending: ['c'],
    })
  })

  it('ends by its time-out, by its signal, and refuses options that make no sense', async () => {
    const updater = await installed(await fresh(), { updates: [noting([], 'a')], pollMs: 3_600_000 })
    await updater.enqueue('a')
    await expect(updater.waitFor('a', { timeoutMs: 0 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    await expect(updater.waitFor('a', { timeoutMs: 1 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    const controller = new AbortController()
    const waiting = expect(updater.waitFor('a', { signal: controller.signal })).rejects.toThrow('enough')
    controller.abort(new Error('enough'))
    await waiting
    await expect(updater.waitFor('a', { timeoutMs: NaN })).rejects.toMatchObject({ code: 'CONFIGURATION' })
    await expect(updater.waitFor('a', { timeout: 5 } as never)).rejects.toThrow('did you mean "timeoutMs"')
    await expect(updater.waitFor(undefined as never)).rejects.toMatchObject({ code: 'CONFIGURATION' })
  })

  it('hasCompleted is asked of the database: true for a fresh installation, false for anything queued', async () => {
    const database = await fresh()
    const updater = await installed(database, { updates: [noting([], 'a'), noting([], 'b')] })
    const other = uninstalled({ database: database.another() })
    expect(await updater.hasCompleted('a')).toBe(true)
    expect(await updater.hasCompleted()).toBe(true)
    await other.enqueue('a')
    expect(await updater.hasCompleted('a')).toBe(false)
    expect(await updater.hasCompleted('b')).toBe(true)
    expect(await updater.hasCompleted('a', 'b')).toBe(false)
    expect(await updater.hasCompleted()).toBe(false)
    await other.disable()
    expect(await updater.hasCompleted('a')).toBe(false)
    await other.enable()
    await updater.runToCompletion()
    expect(await other.hasCompleted('a', 'b')).toBe(true)
  })

  it('rejects in strict mode when its own updater gives up', async () => {
    const clock = jumpingClock()
    const broken = update('broken', () => Promise.reject(new Error('boom')))
    const updater = await installed(await fresh(), { updates: [broken], clock, pace: noPace(), onFailure: 'abort' })
    await updater.enqueue(broken)
    const waiting = expect(updater.waitFor('broken')).rejects.toMatchObject({ code: 'UPDATER_ABORTED' })
    await updater.start()
    await waiting
  })

  it('a name whose update is running in the middle of a batch is not complete', async () => {
    const running = gate()
    const finish = gate()
    const database = await fresh()
    const slow = update('slow', async () => {
      running.open()
      await finish.opened
      return { items: 1, done: true }
    })
    const updater = await installed(database, { updates: [slow] })
    await updater.enqueue(slow)
    const batch = updater.runNextBatch()
    await running.opened
    const other = uninstalled({ database: database.another() })
    expect(await other.hasCompleted('slow')).toBe(false)
    expect(await other.currentUpdate()).toBe('slow')
    expect(await other.databaseStatus()).toMatchObject({
      status: 'RUNNING_UPDATE',
      statusCode: 2,
      current: 'slow',
      updates: [{ state: 'running' }],
    })
    finish.open()
    await batch
    expect(await other.currentUpdate()).toBeNull()
  })
})
