import { adaptivePace, noPace, signal } from 'evenkeel'
import { expect, it, onTestFinished, vi } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { gate, installed, observed, uninstalled, update } from './support.js'

// Node 20 keeps an entry for each on the signals that it was made of, for as long as those live.
function unionsMade(): () => number {
  const any = vi.spyOn(AbortSignal, 'any')
  onTestFinished(() => any.mockRestore())
  return () => any.mock.calls.length
}

/** An update of so many batches, which notes how many unions of signals were made before each. */
function counting(batches: number, made: () => number) {
  const before: number[] = []
  const walk = update('walk', async () => {
    before.push(made())
    return { items: 1, progress: { batch: before.length }, done: before.length === batches }
  })
  return { walk, before }
}

const since = (counts: readonly number[], batch: number) => (counts.at(-1) ?? NaN) - (counts[batch] ?? NaN)

describeDatabases('nothing is left on signals that live long', ({ fresh, dialect }) => {
  it('by the batches of a run whose signals are sampled', async () => {
    const made = unionsMade()
    const { walk, before } = counting(100, made)
    const updater = await installed(await fresh(), {
      updates: [walk],
      pace: adaptivePace({ maxDuty: 1, sharedDuty: 1, sharedRestMs: 0 }),
      signals: [signal({ name: 'own', intervalMs: 1, threshold: 2, sample: () => 1 })],
    })
    await updater.enqueue('walk')
    await updater.start()
    await updater.waitFor('walk')
    await updater.stop()
    expect(before).toHaveLength(100)
    expect(since(before, 3)).toBe(0)
  })

  it('by the batches of several runToCompletion() beside a run', async () => {
    const made = unionsMade()
    const { walk, before } = counting(60, made)
    const updater = await installed(await fresh(), { updates: [walk] })
    await updater.enqueue('walk')
    const { signal: users } = new AbortController()
    await updater.start()
    await Promise.all([updater.runToCompletion({ signal: users }), updater.runToCompletion()])
    await updater.stop()
    expect(before).toHaveLength(60)
    expect(since(before, 10)).toBe(0)
  })

  it('by runToCompletion() after runToCompletion() under one signal', async () => {
    const made = unionsMade()
    const updater = await installed(await fresh())
    const { signal: users } = new AbortController()
    await updater.runToCompletion({ signal: users })
    const before = made()
    for (let times = 0; times < 10; times += 1) await updater.runToCompletion({ signal: users })
    expect(made() - before).toBe(0)
  })

  it('by the looks at the queue of an idle run, of its helpers, and of those who wait', async () => {
    const made = unionsMade()
    const database = await fresh()
    const enough = gate()
    let looks = 0
    let settled = Infinity
    const counted = observed(database.database, () => {
      looks += 1
      if (looks === 100) settled = made()
      if (looks === 400) enough.open()
    })
    const updater = await installed(
      { database: counted },
      { updates: [update('never', async () => ({ items: 1 }))], pollMs: 1, lanes: dialect === 'sqlite' ? 1 : 3 },
    )
    await updater.enqueue('never')
    await updater.pause('never')
    const over = new AbortController()
    await updater.start()
    const waiting = expect(updater.waitFor('never', { signal: over.signal })).rejects.toThrow('over')
    await enough.opened
    expect(made() - settled).toBe(0)
    over.abort(new Error('over'))
    await waiting
  })

  it('by the waits for a database that is away', async () => {
    const made = unionsMade()
    const database = await fresh()
    const { walk, before } = counting(1, made)
    const first = await installed(database, { updates: [walk] })
    await first.enqueue('walk')
    let losses = 0
    let settled = Infinity
    const away = observed(database.database, (text) => {
      if (losses === 20 || !/background_update/.test(text)) return
      losses += 1
      if (losses === 5) settled = made()
      throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    })
    const clock = { nowMs: () => 0, sleep: async () => {} }
    const updater = uninstalled({ database: away }, { updates: [walk], clock, pace: noPace() })
    await updater.start()
    await first.waitFor('walk')
    expect(losses).toBe(20)
    // One is made for all pauses of the run.
    expect((before[0] ?? NaN) - settled).toBeLessThanOrEqual(1)
  })
})
