import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { gate, installed, jumpingClock, noting, observed, uninstalled, update } from './support.js'

describeDatabases('runToCompletion', ({ fresh }) => {
  it('resolves with what it did', async () => {
    const ran: string[] = []
    const updater = await installed(await fresh(), { updates: [noting(ran, 'a'), noting(ran, 'b')] })
    expect(await updater.runToCompletion()).toMatchObject({ completed: [], batches: 0, items: 0 })
    await updater.enqueue('a')
    await updater.enqueue('b')
    const result = await updater.runToCompletion()
    expect(result).toEqual({ completed: ['a', 'b'], batches: 2, items: 2, durationMs: expect.any(Number) as number })
  })

  it('with names, runs them and what they depend on, and nothing else', async () => {
    const ran: string[] = []
    const updater = await installed(await fresh(), { updates: ['a', 'b', 'c', 'd'].map((name) => noting(ran, name)) })
    await updater.enqueue('a', { ordering: 9 })
    await updater.enqueue('b', { dependsOn: 'a' })
    await updater.enqueue('c', { dependsOn: ['b'], ordering: -9 })
    await updater.enqueue('d', { ordering: -99 })
    expect(await updater.runToCompletion({ names: ['c'] })).toMatchObject({ batches: 3 })
    expect(ran).toEqual(['a', 'b', 'c'])
    expect(await updater.hasCompleted('d')).toBe(false)
    expect(await updater.runToCompletion({ names: [{ name: 'd' }, 'not queued'] })).toMatchObject({ completed: ['d'] })
  })

  it('runs all it can, then rejects with one error that lists what needs a person and why', async () => {
    const database = await fresh()
    const clock = jumpingClock()
    const ran: string[] = []
    const failing = update('failing', () => Promise.reject(new Error('boom')), { ordering: -1 })
    const names = ['good', 'x', 'y', 'behind', 'paused']
    const updater = await installed(database, { updates: [failing, ...names.map((name) => noting(ran, name))], clock })
    await updater.enqueue(failing)
    await updater.enqueue('good')
    await updater.enqueue('x', { dependsOn: 'y' })
    await updater.enqueue('y', { dependsOn: 'x' })
    await updater.enqueue('behind', { dependsOn: 'failing' })
    await updater.enqueue('paused')
    await updater.pause('paused', { by: 'ann' })
    await updater.enqueue('stranger')
    const error = await updater.runToCompletion().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'NeedsPersonError', code: 'NEEDS_PERSON' })
    const { updates } = error as { updates: { name: string; code: string; text: string }[] }
    expect(updates.sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { name: 'failing', code: 'failed', text: 'failed 5 times: boom' },
      { name: 'paused', code: 'paused', text: 'paused by ann' },
      { name: 'stranger', code: 'no_handler', text: 'no handler in this process' },
      { name: 'x', code: 'dependency_cycle', text: 'dependency cycle x → y → x' },
      { name: 'y', code: 'dependency_cycle', text: 'dependency cycle y → x → y' },
    ])
    expect(ran).toEqual(['good'])
  })

  it('ends after the running batch when its signal aborts', async () => {
    const controller = new AbortController()
    let batches = 0
    const walk = update('walk', async () => {
      if (++batches === 3) controller.abort(new Error('deploy is over'))
      return { items: 1, progress: { batches } }
    })
    const updater = await installed(await fresh(), { updates: [walk] })
    await updater.enqueue(walk)
    await expect(updater.runToCompletion({ signal: controller.signal })).rejects.toThrow('deploy is over')
    expect((await updater.databaseStatus()).updates).toMatchObject([
      { batches: 3, progress: { batches: 3 }, owner: null },
    ])
    await expect(updater.runToCompletion({ signal: controller.signal })).rejects.toThrow('deploy is over')
    expect(batches).toBe(3)
  })

  it('its signal ends a wait for the controller', async () => {
    const controller = new AbortController()
    const asked = gate()
    const updater = await installed(await fresh(), { updates: [noting([], 'a')] })
    updater.registerController({
      onUpdate() {
        asked.open()
        return new Promise(() => {})
      },
    })
    await updater.enqueue('a')
    const ended = expect(updater.runToCompletion({ signal: controller.signal })).rejects.toThrow('enough')
    await asked.opened
    controller.abort(new Error('enough'))
    await ended
  })

  it('waits for an update that another runner holds, without a handler of its own', async () => {
    const database = await fresh()
    const running = gate()
    const finish = gate()
    const slow = update('slow', async () => {
      running.open()
      await finish.opened
      return { items: 1, done: true }
    })
    const runner = await installed(database, { updates: [slow] })
    await runner.enqueue(slow)
    const batch = runner.runNextBatch()
    await running.opened
    const deploy = uninstalled({ database: database.another() }, { pollMs: 5 }).runToCompletion()
    finish.open()
    await Promise.all([batch, deploy])
  })

  it('goes on by itself after a transient loss of the database', async () => {
    const database = await fresh()
    const clock = jumpingClock()
    let batches = 0
    const walk = update('walk', async () => ({ items: 1, progress: { batches: ++batches }, done: batches >= 5 }))
    const updater = await installed(database, { updates: [walk] })
    await updater.enqueue(walk)
    let statements = 0
    const shaky = observed(database.database, () => {
      statements += 1
      // Never twice in a row.
      if (statements % 11 === 0) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    })
    const runner = uninstalled({ database: shaky }, { updates: [walk], clock, owner: 'one' })
    await runner.checkInstallation()
    await runner.runToCompletion()
    expect(await updater.history()).toMatchObject([{ outcome: 'completed', failures: 0 }])
  })

  it('rejects for an error of the queue that does not pass by itself', async () => {
    const database = await fresh()
    const updater = await installed(database, { updates: [noting([], 'a')] })
    await updater.enqueue('a')
    await database.query('DROP TABLE background_update_settings')
    await expect(updater.runToCompletion()).rejects.toThrow('background_update_settings')
  })

  it('refuses options that make no sense', async () => {
    const updater = await installed(await fresh())
    await expect(updater.runToCompletion({ names: 'a' as never })).rejects.toMatchObject({ code: 'CONFIGURATION' })
    await expect(updater.runToCompletion({ nams: ['a'] } as never)).rejects.toThrow('did you mean "names"')
    await expect(updater.runToCompletion({ names: [''] })).rejects.toMatchObject({ code: 'CONFIGURATION' })
  })
})
