import { adaptivePace, signal, type Reading, type UpdaterEvents } from 'evenkeel'
import { expect, it, vi } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { installed, jumpingClock, next, noting, uninstalled, update } from './support.js'

/** An update that goes on until it is stopped. */
function endless(counted: { batches: number }) {
  return update('walk', async ({ batchSize }) => {
    counted.batches += 1
    return { items: batchSize, progress: { batches: counted.batches } }
  })
}

/** A signal of the application that says what it is told to. */
function told(name: string, says: { verdict: Reading['verdict'] }) {
  return signal({
    name,
    intervalMs: 20,
    sample: () => ({ value: 800, verdict: says.verdict, why: `${name} is 800 ms (limit 500 ms)` }),
  })
}

describeDatabases('the pace of a running updater', ({ fresh }) => {
  it('an application’s signal that says stop holds the batches, says why everywhere, and lets them go on', async () => {
    const database = await fresh()
    const counted = { batches: 0 }
    const says: { verdict: Reading['verdict'] } = { verdict: 'stop' }
    const updater = await installed(database, {
      updates: [endless(counted)],
      signals: [told('checkout p99', says)],
      owner: 'runner',
    })
    const onlooker = uninstalled({ database: database.another() }, { updates: [endless(counted)] })
    await updater.enqueue('walk')
    const change = next(updater, 'pace:change')
    await updater.start()
    expect(await change).toEqual({
      databaseName: 'main',
      updateName: 'walk',
      pauseMs: 1_000,
      reason: 'checkout p99',
      why: 'stopped: checkout p99 is 800 ms (limit 500 ms)',
    })
    const waiting = async (of = updater) => (await of.databaseStatus()).updates[0]?.waiting
    expect(await waiting()).toMatchObject({ code: 'throttled' })
    expect((await waiting())?.text).toMatch(
      /^stopped: checkout p99 is 800 ms \(limit 500 ms\); looks again at \d{4}-\d\d-\d\dT/,
    )
    // Another process sees the queue alone; the runner tells it there.
    await vi.waitFor(async () => expect((await waiting(onlooker))?.text).toContain('checkout p99 is 800 ms'), 10_000)
    expect(counted.batches).toBe(0)
    expect(updater.explainPace()).toMatchObject({ duty: 0 })
    const batch = next(updater, 'batch:success')
    says.verdict = 'calm'
    await batch
    expect(updater.explainPace().duty).toBeGreaterThan(0)
    expect(updater.explainPace().waitedSeconds['checkout p99']).toBeGreaterThan(0.9)
    const why = await updater.why('walk')
    expect(why.pace.map(({ rule }) => rule)).toContain('stop')
    expect(why.tuner.length).toBeGreaterThan(0)
    expect(why.words.join('\n')).toContain('checkout p99 is 800 ms')
    await updater.stop()
  })

  it('disable and stop end a hold at once', async () => {
    const counted = { batches: 0 }
    const clock = jumpingClock()
    const slow = { ...clock, sleep: (_ms: number, signal?: AbortSignal) => untilAborted(signal) }
    const updater = await installed(await fresh(), {
      updates: [endless(counted)],
      signals: [told('p99', { verdict: 'stop' })],
      clock: slow,
    })
    await updater.enqueue('walk')
    const held = next(updater, 'pace:change')
    await updater.start()
    await held
    const idle = next(updater, 'updater:idle')
    await updater.disable({ by: 'anna' })
    await idle
    expect((await updater.databaseStatus()).updates[0]?.waiting).toEqual({ code: 'disabled', text: 'disabled by anna' })
    const again = next(updater, 'pace:change')
    await updater.enable()
    await again
    await updater.stop()
    expect(counted.batches).toBe(0)
  })

  it('batches are short while somebody else works, and back at their own target when not', async () => {
    const says: { verdict: Reading['verdict'] } = { verdict: 'pressure' }
    const updater = await installed(await fresh(), {
      updates: [endless({ batches: 0 })],
      signals: [told('foreground', says)],
      pace: adaptivePace({ sharedTargetMs: 7, sharedDuty: 0.9, quietMs: 0 }),
      targetMs: 40,
    })
    const targets: number[] = []
    updater.on('batch:start', ({ targetMs }) => targets.push(targetMs))
    await updater.enqueue('walk')
    await updater.start()
    await next(updater, 'batch:success')
    expect(new Set(targets)).toEqual(new Set([7]))
    expect(updater.explainPace().mode).toBe('shared')
    // A value of a signal without a utilisation of its own counts when it is above 0.
    says.verdict = 'unknown'
    await next(updater, 'batch:success')
    expect(targets.at(-1)).toBe(7)
    await updater.stop()
  })

  it('a controller wins over the pace, and runToCompletion never waits', async () => {
    const targets: number[] = []
    const updater = await installed(await fresh(), {
      updates: [noting([], 'a'), noting([], 'b')],
      signals: [told('foreground', { verdict: 'pressure' }), told('p99', { verdict: 'stop' })],
      windows: windowThatIsClosed(),
      targetMs: 40,
    })
    updater.on('batch:start', ({ targetMs }) => targets.push(targetMs))
    await updater.enqueue('a')
    expect(await updater.runToCompletion()).toMatchObject({ completed: ['a'] })
    updater.registerController({ onUpdate: () => ({ targetMs: 30, [Symbol.asyncDispose]: async () => {} }) })
    await updater.enqueue('b')
    await updater.start()
    await next(updater, 'update:complete')
    expect(targets).toEqual([40, 30])
  })

  it('a budget of rows is kept by the clock', async () => {
    const clock = jumpingClock()
    let batches = 0
    const sizes: number[] = []
    const walk = update('walk', async ({ batchSize }) => {
      clock.pass(100)
      sizes.push(batchSize)
      return { items: batchSize, progress: { batches: (batches += 1) }, done: batches === 4 }
    })
    const updater = await installed(await fresh(), {
      updates: [walk],
      clock,
      budgets: { rowsPerSecond: 50 },
      defaultBatchSize: 500,
    })
    await updater.enqueue(walk)
    const complete = next(updater, 'update:complete')
    const startedMs = clock.nowMs()
    await updater.start()
    await complete
    expect(Math.max(...sizes)).toBeLessThanOrEqual(50)
    const before = sizes.slice(0, -1).reduce((sum, size) => sum + size, 0)
    expect(clock.nowMs() - startedMs).toBeGreaterThanOrEqual((before / 50) * 1_000)
    await updater.stop()
  })
})

describeDatabases('settings while updates run', ({ fresh }) => {
  it('are taken up by every process, logged with who and why, and kept', async () => {
    const database = await fresh()
    const updater = await installed(database, { updates: [endless({ batches: 0 })], targetMs: 40 })
    const elsewhere = uninstalled({ database: database.another() })
    const targets: number[] = []
    updater.on('batch:start', ({ targetMs }) => targets.push(targetMs))
    await updater.enqueue('walk')
    await updater.start()
    await next(updater, 'batch:success')
    const change = next(updater, 'settings:change')
    await elsewhere.set({ targetMs: 9 }, { update: 'walk', by: 'anna', reason: 'the sale begins' })
    expect(await change).toEqual({
      databaseName: 'main',
      key: 'targetMs',
      update: 'walk',
      before: null,
      after: 9,
      by: 'anna',
      reason: 'the sale begins',
    } satisfies UpdaterEvents['settings:change'])
    await next(updater, 'batch:start')
    expect(targets.at(-1)).toBe(9)
    await updater.set({ targetMs: 12, 'pace.maxDuty': 0.5 })
    await next(updater, 'settings:change')
    await next(updater, 'pace:change')
    expect(updater.explainPace().duty).toBe(0.5)
    // The update's own wins over the database's.
    expect(targets.at(-1)).toBe(9)
    await updater.set({ targetMs: null }, { update: 'walk', by: 'bert' })
    await next(updater, 'settings:change')
    await vi.waitFor(() => expect(targets.at(-1)).toBe(12), 10_000)
    expect((await elsewhere.settings()).map(({ key, update, value }) => [key, update, value])).toEqual([
      ['pace.maxDuty', null, 0.5],
      ['targetMs', null, 12],
    ])
    const audit = await elsewhere.audit()
    expect(
      audit.map(({ action, subject, before, after, by, reason }) => ({ action, subject, before, after, by, reason })),
    ).toEqual([
      { action: 'set', subject: 'targetMs@walk', before: 9, after: null, by: 'bert', reason: null },
      { action: 'set', subject: 'pace.maxDuty', before: null, after: 0.5, by: null, reason: null },
      { action: 'set', subject: 'targetMs', before: null, after: 12, by: null, reason: null },
      { action: 'set', subject: 'targetMs@walk', before: null, after: 9, by: 'anna', reason: 'the sale begins' },
    ])
    await updater.stop()
    const restarted = uninstalled({ database: database.another() }, { updates: [endless({ batches: 0 })] })
    const began = next(restarted, 'batch:start')
    await restarted.start()
    expect((await began).targetMs).toBe(12)
    expect(restarted.explainPace().duty).toBe(0.5)
    await restarted.stop()
  })

  it('open a window at once', async () => {
    const ran: string[] = []
    const updater = await installed(await fresh(), {
      updates: [noting(ran, 'a')],
      windows: windowThatIsClosed(),
    })
    await updater.enqueue('a')
    const held = next(updater, 'pace:change')
    await updater.start()
    expect(await held).toMatchObject({
      reason: 'window',
      why: expect.stringMatching(/^outside of .* until \d{4}-/) as string,
    })
    expect((await updater.databaseStatus()).updates[0]?.waiting).toMatchObject({ code: 'throttled' })
    expect(ran).toEqual([])
    const complete = next(updater, 'update:complete')
    await updater.set({ windows: 'daily 00:00-24:00' })
    await complete
    await updater.stop()
  })

  it('that are wrong are refused whole, with what was meant', async () => {
    const updater = await installed(await fresh(), { updates: [noting([], 'a')] })
    const refused = async (changes: unknown, options: object = {}) => {
      const error: unknown = await updater.set(changes as never, options).then(
        () => null,
        (thrown: unknown) => thrown,
      )
      return error as { code: string; message: string }
    }
    expect(await refused({ 'pace.maxDuti': 1, 'pace.minDuty': 0.1 })).toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('did you mean "pace.maxDuty"?') as string,
    })
    expect((await refused({ maxDuty: 1 })).message).toContain('did you mean "pace.maxDuty"?')
    expect((await refused({ 'pace.maxDuty': 7 })).message).toContain('maxDuty must be a number from 0.001 to 1, not 7')
    expect((await refused({ 'pace.preset': 'gentel' })).message).toContain('did you mean "gentle"?')
    expect((await refused({ windows: 'Mon 22:00' })).message).toContain('are no hours')
    expect((await refused({ 'pace.maxDuty': 1 }, { update: 'a' })).message).toContain('not for one update')
    expect((await refused({ targetMs: 5 }, { who: 'me' })).message).toContain('unknown option "who"')
    expect(await refused({ targetMs: 5 }, { update: 'aa' })).toMatchObject({ code: 'UNKNOWN_UPDATE' })
    for (const odd of [null, 'x', [], { targetMs: undefined }]) expect((await refused(odd)).code).toBe('CONFIGURATION')
    expect(await updater.settings()).toEqual([])
    expect(await updater.audit()).toEqual([])
  })

  it('that were written by hand and can’t be used are ignored with a warning', async () => {
    const database = await fresh()
    const warnings: string[] = []
    const silent = () => {}
    const logger = {
      debug: silent,
      info: silent,
      error: silent,
      warn: (_: object, message: string) => warnings.push(message),
    }
    const updater = await installed(database, { updates: [noting([], 'a')], logger })
    await database.query(
      `INSERT INTO background_update_settings (name, value_json) VALUES ('pace.maxDuty', '"much"'), ('targetMs', '{'), ('other', '1')`,
    )
    await updater.enqueue('a')
    await updater.start()
    await next(updater, 'update:complete')
    await updater.stop()
    expect(warnings).toEqual([expect.stringContaining('a stored setting is ignored: maxDuty must be a number')])
  })
})

/** A window of an hour that begins in three hours. */
function windowThatIsClosed(): string {
  const hour = (new Date().getUTCHours() + 3) % 24
  return `${hour}:00-${hour + 1}:00`
}

function untilAborted(signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }))
}
