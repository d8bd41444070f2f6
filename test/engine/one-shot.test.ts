import { once } from 'node:events'
import { defineUpdate, type OneShotOptions } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { installed, jumpingClock, noting, uninstalled } from './support.js'

function oneShot(options: Partial<OneShotOptions<never, Record<string, never>>>) {
  return defineUpdate<never, Record<string, never>>({ name: 'shot', oneShot: true, run: async () => {}, ...options })
}

describeDatabases('one-shot updates', ({ fresh, dialect }) => {
  it('run on a pinned session outside a transaction, and end when they return', async () => {
    const database = await fresh()
    await database.query('CREATE TABLE traces (n INTEGER)')
    const shot = oneShot({
      async run({ session, query }) {
        await query('INSERT INTO traces VALUES (1)')
        // Autocommit: another connection sees it already.
        expect((await database.query('SELECT n FROM traces')).rows).toEqual([{ n: 1 }])
        if (dialect === 'postgres') {
          await session.query("SET application_name = 'pinned'")
          expect((await query("SELECT current_setting('application_name') AS name")).rows).toEqual([{ name: 'pinned' }])
          await session.query('RESET application_name')
        }
        return { items: 4 }
      },
    })
    const updater = await installed(database, { updates: [shot] })
    await updater.enqueue(shot)
    expect((await updater.databaseStatus()).updates).toMatchObject([{ oneShot: true, batchSize: null }])
    expect(await updater.runNextBatch()).toEqual({ ran: 'shot', complete: true })
    expect(await updater.history()).toMatchObject([{ outcome: 'completed', items: 4, batches: 1 }])
  })

  it('look at what is there first, and run nothing when it is there already', async () => {
    const shot = oneShot({ isDone: async () => true, run: () => Promise.reject(new Error('must not run')) })
    const updater = await installed(await fresh(), { updates: [shot] })
    await updater.enqueue(shot)
    await updater.runToCompletion()
    expect(await updater.history()).toMatchObject([{ outcome: 'completed' }])
  })

  it('keep their row until the catalogue says that the result exists', async () => {
    const clock = jumpingClock()
    let made = 0
    const shot = oneShot({ isDone: async () => made >= 3, run: async () => void (made += 1) })
    const updater = await installed(await fresh(), { updates: [shot], clock })
    await updater.enqueue(shot)
    await updater.runNextBatch()
    expect((await updater.databaseStatus()).updates).toMatchObject([
      { failures: 1, lastError: expect.stringContaining('missing or not valid') as string },
    ])
    await updater.runToCompletion()
    expect(await updater.history()).toMatchObject([{ outcome: 'completed', failures: 2 }])
  })

  it('may go on with progress in several runs, and are at-least-once', async () => {
    const database = await fresh()
    const seen: unknown[] = []
    let fail = true
    const shot = oneShot({
      async run({ progress }) {
        seen.push(progress)
        if (seen.length === 2 && fail) {
          fail = false
          throw new Error('in the middle')
        }
        return { progress: { runs: seen.length } as never, done: seen.length >= 3 }
      },
    })
    const clock = jumpingClock()
    const updater = await installed(database, { updates: [shot], clock })
    await updater.enqueue(shot)
    await updater.runNextBatch()
    await updater.stop()
    const restarted = uninstalled({ database: database.another() }, { updates: [shot], clock })
    await restarted.runToCompletion()
    expect(seen).toEqual([{}, { runs: 1 }, { runs: 1 }])
  })

  it('that bring neither progress nor an end are failed as stalled', async () => {
    let runs = 0
    const shot = oneShot({ run: async () => ({ done: (runs += 1) > 1_000 }) })
    const updater = await installed(await fresh(), { updates: [shot] })
    await updater.enqueue(shot)
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'NEEDS_PERSON' })
    expect(runs).toBe(10)
  })

  it('of the other database are finished at once, and refused without that word', async () => {
    const other = dialect === 'postgres' ? 'sqlite' : 'postgres'
    const shot = oneShot({ on: other, run: () => Promise.reject(new Error('must not run')) })
    const updater = await installed(await fresh(), { updates: [shot] })
    await updater.enqueue(shot)
    await updater.runToCompletion()
    expect(await updater.history()).toMatchObject([{ outcome: 'not applicable', batches: 0 }])
    const refused = { ...oneShot({}), dialects: [other] as const }
    const strict = uninstalled(await fresh(), { updates: [refused] })
    await strict.install()
    await expect(strict.start()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(strict.runNextBatch()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect((await strict.databaseStatus()).status).toBe('COMPLETE')
  })

  it('lets an update that came before it in the queue go first, between two of its runs', async () => {
    const database = await fresh()
    const person = uninstalled({ database: database.another() })
    const ran: string[] = []
    const shot = oneShot({
      async run() {
        ran.push('shot')
        if (ran.length > 1) return
        await person.enqueue('urgent', { ordering: -1 })
        return { done: false, progress: { again: true } as never }
      },
    })
    const updater = await installed(database, { updates: [shot, noting(ran, 'urgent')] })
    await updater.enqueue(shot)
    await updater.runToCompletion()
    expect(ran).toEqual(['shot', 'urgent', 'shot'])
  })

  it('send no statement any more once they are told to stop', async () => {
    const database = await fresh()
    await database.query('CREATE TABLE traces (n INTEGER)')
    const stops: Promise<void>[] = []
    let refused: unknown
    const shot = oneShot({
      async run({ query, signal }) {
        stops.push(updater.stop({ graceMs: 0 }))
        await once(signal, 'abort')
        refused = await query('INSERT INTO traces VALUES (1)').catch((error: unknown) => error === signal.reason)
      },
    })
    const updater = await installed(database, { updates: [shot] })
    await updater.enqueue(shot)
    await updater.runNextBatch().catch(() => {})
    await Promise.all(stops)
    expect(refused).toBe(true)
    expect((await database.query('SELECT n FROM traces')).rows).toEqual([])
  })
})
