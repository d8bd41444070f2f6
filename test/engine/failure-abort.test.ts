import { noPace, UpdaterStatus } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { installed, jumpingClock, next, noting, update } from './support.js'

describeDatabases("onFailure: 'abort'", ({ fresh }) => {
  it('five failures in a row stop the whole updater until it is started again', async () => {
    const clock = jumpingClock()
    const ran: string[] = []
    let broken = true
    let calls = 0
    const shaky = update('shaky', async () => {
      calls += 1
      if (broken) throw new Error('boom')
      return { items: 1, done: true }
    })
    const updater = await installed(await fresh(), {
      updates: [shaky, noting(ran, 'later')],
      clock,
      pace: noPace(),
      onFailure: 'abort',
    })
    await updater.enqueue(shaky)
    await updater.enqueue('later', { dependsOn: 'shaky' })
    const stopped = next(updater, 'updater:stop')
    await updater.start()
    expect(await stopped).toMatchObject({
      databaseName: 'main',
      error: { code: 'UPDATER_ABORTED', cause: { message: 'boom' } },
    })
    expect(calls).toBe(5)
    expect(await updater.databaseStatus()).toMatchObject({ status: 'ABORTED', statusCode: UpdaterStatus.ABORTED })
    expect(ran).toEqual([])
    broken = false
    const idle = next(updater, 'updater:idle')
    await updater.start()
    await idle
    expect((await updater.databaseStatus()).status).toBe('COMPLETE')
    expect(ran).toEqual(['later'])
  })

  it('counts five in a row over all updates, and a committed batch in between starts anew', async () => {
    const clock = jumpingClock()
    const failures: string[] = []
    const failing = (name: string) =>
      update(name, async () => {
        failures.push(name)
        throw new Error(name)
      })
    const good = update('good', async () => ({ items: 1, done: true }), { ordering: 5 })
    const updater = await installed(await fresh(), {
      updates: [failing('a'), failing('b'), good],
      clock,
      onFailure: 'abort',
    })
    await updater.enqueue('a')
    await updater.enqueue('b')
    await updater.enqueue(good)
    await updater.runNextBatch()
    await updater.runNextBatch()
    expect((await updater.runNextBatch()).ran).toBe('good')
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'UPDATER_ABORTED' })
    expect(failures).toHaveLength(7)
    expect(new Set(failures)).toEqual(new Set(['a', 'b']))
    expect((await updater.databaseStatus()).status).toBe('ABORTED')
  })

  it('rejects runNextBatch with the typed error at the fifth', async () => {
    const clock = jumpingClock()
    const broken = update('broken', () => Promise.reject(new Error('boom')))
    const updater = await installed(await fresh(), { updates: [broken], clock, onFailure: 'abort' })
    await updater.enqueue(broken)
    for (let call = 1; call <= 4; call += 1) {
      expect((await updater.runNextBatch()).ran).toBe('broken')
      clock.pass(60_000)
    }
    await expect(updater.runNextBatch()).rejects.toMatchObject({ code: 'UPDATER_ABORTED', cause: { message: 'boom' } })
  })

  it('an update that stalls stops it too', async () => {
    const idle = update('idle', async () => ({ items: 0 }))
    const updater = await installed(await fresh(), { updates: [idle], onFailure: 'abort' })
    await updater.enqueue(idle)
    await expect(updater.runToCompletion()).rejects.toMatchObject({
      code: 'UPDATER_ABORTED',
      cause: { code: 'STALLED' },
    })
  })
})
