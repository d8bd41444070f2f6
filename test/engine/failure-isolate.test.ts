import { defineUpdate, noPace, SchemaMismatchError } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { installed, jumpingClock, memoryLogger, next, noting, update } from './support.js'

describeDatabases('failure of an update', ({ fresh, dialect }) => {
  it('five times in a row sets it aside with its error, while others finish', async () => {
    const clock = jumpingClock()
    const ran: string[] = []
    const logger = memoryLogger()
    let calls = 0
    const broken = update('broken', async () => {
      calls += 1
      throw new Error('boom')
    })
    const updater = await installed(await fresh(), {
      updates: [broken, noting(ran, 'good')],
      clock,
      pace: noPace(),
      logger,
    })
    await updater.enqueue(broken, { ordering: -1 })
    await updater.enqueue('good')
    const backOffs: number[] = []
    updater.on('batch:failure', ({ backOffMs }) => backOffs.push(backOffMs))
    const failed = next(updater, 'update:fail')
    await updater.start()
    expect(await failed).toMatchObject({ updateName: 'broken', databaseName: 'main', error: { message: 'boom' } })
    await updater.stop()
    expect(calls).toBe(5)
    expect(ran).toEqual(['good'])
    // 1 s doubling, ± 20 %, and none after the last.
    const expected = [1000, 2000, 4000, 8000]
    expect(backOffs).toHaveLength(5)
    expected.forEach((ms, index) => {
      expect(backOffs[index]).toBeGreaterThanOrEqual(ms * 0.8)
      expect(backOffs[index]).toBeLessThanOrEqual(ms * 1.2)
    })
    expect(clock.nowMs()).toBeGreaterThanOrEqual(15_000 * 0.8)
    const { status, statusCode, updates } = await updater.databaseStatus()
    expect({ status, statusCode }).toEqual({ status: 'ABORTED', statusCode: -1 })
    expect(updates).toMatchObject([
      {
        name: 'broken',
        state: 'failed',
        failures: 5,
        batches: 0,
        lastError: 'boom',
        waiting: { code: 'failed', text: 'failed 5 times: boom' },
      },
    ])
    const line = logger.entries.find((entry) => entry.level === 'error')
    expect(line?.details).toMatchObject({ update: 'broken', progress: {}, error: { message: 'boom' } })
    // A pause would hide that it failed, and `resume` would run it without a retry.
    await updater.pause('broken')
    expect((await updater.databaseStatus()).updates).toMatchObject([{ state: 'failed' }])
    await updater.retry('broken')
    expect((await updater.databaseStatus()).updates).toMatchObject([
      { state: 'queued', waiting: null, lastError: null },
    ])
    expect((await updater.databaseStatus()).status).toBe('NOT_STARTED')
  })

  it('a committed batch in between starts the count anew', async () => {
    const clock = jumpingClock()
    let calls = 0
    const shaky = update('shaky', async () => {
      calls += 1
      if (calls % 2 === 1) throw new Error('odd')
      return { items: 1, progress: { calls }, done: calls >= 12 }
    })
    const updater = await installed(await fresh(), { updates: [shaky], clock })
    await updater.enqueue(shaky)
    await updater.runToCompletion()
    expect(await updater.history()).toMatchObject([{ outcome: 'completed', batches: 6, failures: 6 }])
  })

  it('failing four times of five for ever is caught too', async () => {
    const clock = jumpingClock()
    let calls = 0
    const shaky = update('shaky', async () => {
      calls += 1
      if (calls % 5 !== 0) throw new Error('nearly always')
      return { items: 1, progress: { calls } }
    })
    const updater = await installed(await fresh(), { updates: [shaky], clock })
    await updater.enqueue(shaky)
    await expect(updater.runToCompletion()).rejects.toMatchObject({
      code: 'NEEDS_PERSON',
      updates: [{ name: 'shaky', code: 'failed' }],
    })
    expect(calls).toBeLessThanOrEqual(20)
    // retry clears the window as well.
    await updater.retry('shaky')
    await updater.runNextBatch()
    expect((await updater.databaseStatus()).updates).toMatchObject([{ state: 'queued' }])
  })

  it('maxAttempts of the update wins over that of the updater', async () => {
    const clock = jumpingClock()
    const calls = { own: 0, common: 0 }
    const own = update('own', () => Promise.reject(new Error(`${(calls.own += 1)}`)), { maxAttempts: 2 })
    const common = update('common', () => Promise.reject(new Error(`${(calls.common += 1)}`)))
    const updater = await installed(await fresh(), { updates: [own, common], clock, maxAttempts: 3 })
    await updater.enqueue(own)
    await updater.enqueue(common)
    await expect(updater.runToCompletion()).rejects.toMatchObject({
      code: 'NEEDS_PERSON',
      updates: [
        { name: 'common', code: 'failed', text: 'failed 3 times: 3' },
        { name: 'own', code: 'failed', text: 'failed 2 times: 2' },
      ],
    })
    expect(calls).toEqual({ own: 2, common: 3 })
  })

  it('an error that cannot pass by itself fails at once', async () => {
    const broken = update('broken', () =>
      Promise.reject(new SchemaMismatchError('table t', 'is not there', 'Make it.')),
    )
    const updater = await installed(await fresh(), { updates: [broken] })
    await updater.enqueue(broken)
    await updater.runNextBatch()
    expect((await updater.databaseStatus()).updates).toMatchObject([{ state: 'failed', failures: 1 }])
  })

  it.each([
    ['a text', 'just text', 'just text'],
    ['undefined', undefined, 'undefined'],
    ['an object without prototype', Object.create(null), 'object'],
    ['a message with NUL', new Error('a\0b'), 'a\uFFFDb'],
    ['a message with half a character', new Error('a\ud800b'), 'a\uFFFDb'],
    ['a very long message', new Error('x'.repeat(100_000)), 'xxx'],
  ])('whatever is thrown is counted: %s', async (_name, thrown, expected) => {
    const clock = jumpingClock()
    const broken = update('broken', async () => {
      throw thrown
    })
    const updater = await installed(await fresh(), { updates: [broken], clock })
    await updater.enqueue(broken)
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'NEEDS_PERSON' })
    const [row] = (await updater.databaseStatus()).updates
    expect(row).toMatchObject({ state: 'failed', failures: 5 })
    expect(row?.lastError).toContain(expected)
  })

  it('the service that a handler calls may be away: that is the handler’s failure, not the database’s', async () => {
    const clock = jumpingClock()
    const ran: string[] = []
    const refused = () =>
      Promise.reject(
        new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) }),
      )
    const updates = [
      update('in_batch', refused),
      update('in_prepare', async () => ({ items: 0, done: true }), { prepare: refused }),
      defineUpdate({ name: 'in_one_shot', oneShot: true, run: refused }) as never,
    ]
    const updater = await installed(await fresh(), { updates: [...updates, noting(ran, 'good')], clock })
    for (const { name } of updates) await updater.enqueue(name)
    await updater.enqueue('good')
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'NEEDS_PERSON' })
    expect(ran).toEqual(['good'])
    expect((await updater.databaseStatus()).updates).toMatchObject([
      { name: 'in_batch', state: 'failed', failures: 5, lastError: expect.stringContaining('fetch failed') as string },
      { name: 'in_one_shot', state: 'failed', failures: 5 },
      { name: 'in_prepare', state: 'failed', failures: 5 },
    ])
  })

  it('halves the batch after a lock or time-out error, and grows back', async () => {
    const clock = jumpingClock()
    const sizes: number[] = []
    const codes = dialect === 'postgres' ? ['55P03', '40P01'] : ['SQLITE_BUSY', 'SQLITE_LOCKED']
    const busy = update('busy', async ({ batchSize }) => {
      sizes.push(batchSize)
      const code = codes[sizes.length - 1]
      if (code) throw Object.assign(new Error('in the way'), { code })
      return { items: 0, progress: { batches: sizes.length }, done: sizes.length === 5, tune: false }
    })
    const updater = await installed(await fresh(), { updates: [busy], clock })
    await updater.enqueue(busy)
    await updater.runToCompletion()
    expect(sizes).toEqual([100, 50, 25, 50, 100])
  })

  it('another runner keeps to the back-off that the row holds', async () => {
    const database = await fresh()
    const clock = jumpingClock()
    let calls = 0
    const broken = update('broken', async () => {
      calls += 1
      throw new Error('boom')
    })
    const first = await installed(database, { updates: [broken], clock })
    const second = await installed({ database: database.another() }, { updates: [broken], clock })
    await first.enqueue(broken)
    expect((await first.runNextBatch()).ran).toBe('broken')
    // By the clock of the first it has passed; the second knows only what the row says.
    clock.pass(3_000)
    expect((await second.runNextBatch()).ran).toBeNull()
    expect((await second.databaseStatus()).updates).toMatchObject([
      {
        waiting: {
          code: 'backs_off',
          text: expect.stringMatching(/^backs off until \d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
        },
      },
    ])
    expect((await first.runNextBatch()).ran).toBe('broken')
    expect(calls).toBe(2)
    // A back-off of another runner is not ended by an older one of ours that has passed.
    clock.pass(10_000)
    await database.query(
      database.database.dialect === 'postgres'
        ? "UPDATE background_updates SET retry_at = clock_timestamp() + INTERVAL '1 hour'"
        : "UPDATE background_updates SET retry_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 hour')",
    )
    expect((await first.runNextBatch()).ran).toBeNull()
  })
})
