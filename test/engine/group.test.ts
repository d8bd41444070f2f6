import { BackgroundUpdaterGroup, noPace } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { installed, next, noting, uninstalled } from './support.js'

describeDatabases('a group of databases', ({ fresh }) => {
  it('runs each, and has one status over all', async () => {
    const ran: string[] = []
    const updates = [noting(ran, 'a')]
    const main = await installed(await fresh(), { updates, databaseName: 'main', pace: noPace() })
    const state = uninstalled(await fresh(), { updates, databaseName: 'state', pace: noPace() })
    const group = new BackgroundUpdaterGroup([main, state])
    expect(group.databaseNames).toEqual(['main', 'state'])
    await group.install()
    await group.updater('state').enqueue('a')
    expect(await group.hasCompleted('a')).toBe(false)
    expect(await group.status()).toMatchObject({
      databases: {
        main: { status: 'COMPLETE', updates: [] },
        state: { status: 'NOT_STARTED', updates: [{ name: 'a' }] },
      },
    })
    const complete = next(state, 'update:complete')
    await group.start()
    await group.waitFor('a')
    await complete
    await group.stop()
    expect(ran).toEqual(['a'])
    expect(() => group.updater('sate')).toThrow(expect.objectContaining({ code: 'CONFIGURATION' }) as Error)
    await main.enqueue('a')
    expect(await group.runToCompletion()).toMatchObject({ main: { completed: ['a'] }, state: { completed: [] } })
  })

  it('is refused without updaters, with a typed error', () => {
    for (const nonsense of [undefined, {}, 7, []]) {
      const error = expect.objectContaining({ code: 'CONFIGURATION' }) as Error
      expect(() => new BackgroundUpdaterGroup(nonsense as never)).toThrow(error)
    }
  })

  it('when one cannot start, none runs', async () => {
    const main = await installed(await fresh(), { databaseName: 'main' })
    const state = uninstalled(await fresh(), { databaseName: 'state' })
    const stopped = next(main, 'updater:stop')
    await expect(new BackgroundUpdaterGroup([main, state]).start()).rejects.toMatchObject({ code: 'NOT_INSTALLED' })
    await stopped
  })

  it('is switched off and on as one', async () => {
    const main = await installed(await fresh(), { databaseName: 'main' })
    const state = await installed(await fresh(), { databaseName: 'state' })
    await using group = new BackgroundUpdaterGroup([main, state])
    await group.disable({ by: 'ann', reason: 'incident' })
    expect(await group.status()).toMatchObject({
      databases: { main: { status: 'DISABLED' }, state: { status: 'DISABLED', disabled: { by: 'ann' } } },
    })
    await group.enable()
    expect(await group.status()).toMatchObject({
      databases: { main: { status: 'COMPLETE' }, state: { status: 'COMPLETE' } },
    })
  })
})
