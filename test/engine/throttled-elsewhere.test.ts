import type { Pace } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { gate, installed, next, noting, uninstalled, update } from './support.js'

describeDatabases('why the runner of another process waits', ({ fresh }) => {
  const reasonOf = async (onlooker: ReturnType<typeof uninstalled>) =>
    (await onlooker.status()).databases.main?.updates[0]?.waiting

  it('a hold is told before it begins, also when nothing has run yet', async () => {
    const database = await fresh()
    const held: Pace = { beforeBatch: () => ({ ms: 60_000, why: 'outside its window', reason: 'window', again: true }) }
    const updater = await installed(database, { updates: [noting([], 'a')], pace: held })
    await updater.enqueue('a')
    const waits = next(updater, 'pace:change')
    await updater.start()
    await waits
    const onlooker = uninstalled({ database: database.another() }, { updates: [noting([], 'a')] })
    await expect
      .poll(() => reasonOf(onlooker))
      .toMatchObject({
        code: 'throttled',
        text: expect.stringMatching(/^outside its window; looks again at \d{4}-/) as string,
      })
    await updater.stop()
  })

  it('short pauses are told by the batch behind them, and gone with the first batch without one', async () => {
    const database = await fresh()
    const pauses = [20, 0]
    const pace: Pace = { beforeBatch: () => ({ ms: pauses.shift() ?? 0, why: '300 foreign commits a second' }) }
    const [second, third] = [gate(), gate()]
    const waits = [Promise.resolve(), second.opened, third.opened]
    const walk = update('walk', async ({ progress }) => {
      const { n = 0 } = progress as { n?: number }
      await waits[n]
      return { items: 1, progress: { n: n + 1 }, done: n === 2 }
    })
    const updater = await installed(database, { updates: [walk], pace })
    const onlooker = uninstalled({ database: database.another() }, { updates: [walk] })
    await updater.enqueue(walk)
    const committed = next(updater, 'batch:success')
    await updater.start()
    await committed
    expect((await reasonOf(onlooker))?.text).toContain('; it waits: 300 foreign commits a second')
    const again = next(updater, 'batch:success')
    second.open()
    await again
    expect((await reasonOf(onlooker))?.text ?? '').not.toContain('it waits')
    third.open()
    await updater.waitFor('walk')
  })
})
