import { defineUpdate, fixedPace, noPace } from 'evenkeel'
import { fakeClock } from 'evenkeel/testing'
import { expect, it, vi } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { gate, installed, next, noting, uninstalled, update } from './support.js'

describeDatabases('pause, resume, cancel, retry and the switch', ({ fresh, dialect }) => {
  it('pause keeps the next batch from running, by another process and with who and why, until resume', async () => {
    const database = await fresh()
    let batches = 0
    const walk = update('walk', async () => ({ items: 1, progress: { batches: ++batches }, done: batches === 3 }))
    const runner = await installed(database, { updates: [walk] })
    const person = uninstalled({ database: database.another() }, {})
    await runner.enqueue(walk)
    await runner.runNextBatch()
    await person.pause('walk', { by: 'ann', reason: 'release night' })
    expect(await runner.runNextBatch()).toEqual({ ran: null, complete: false })
    const status = await runner.databaseStatus()
    expect(status.updates).toMatchObject([
      { state: 'paused', waiting: { code: 'paused', text: 'paused by ann: release night' } },
    ])
    // A person's decision is no call for a person.
    expect(status.status).not.toBe('ABORTED')
    await expect(runner.runToCompletion()).rejects.toMatchObject({
      code: 'NEEDS_PERSON',
      updates: [{ name: 'walk', code: 'paused', text: 'paused by ann: release night' }],
    })
    await person.resume('walk')
    await runner.runToCompletion()
    expect(batches).toBe(3)
  })

  // A loop that leads the queue doesn't read it before every batch: only the batch's own fence looks.
  it.each(['pause', 'disable'] as const)('%s by another process ends the batches of a loop', async (how) => {
    const database = await fresh()
    const endless = update('endless', async () => ({ items: 1, progress: { at: performance.now() } }))
    const person = uninstalled({ database: database.another() }, { updates: [endless] })
    const runner = await installed(database, { updates: [endless], pace: fixedPace({ sleepMs: 1 }) })
    await runner.enqueue(endless)
    await runner.start()
    await next(runner, 'batch:success')
    await next(runner, 'batch:success')
    await (how === 'pause' ? person.pause('endless') : person.disable())
    const code = how === 'pause' ? 'paused' : 'disabled'
    const held = async () => (await person.databaseStatus()).updates
    await vi.waitFor(async () => expect(await held()).toMatchObject([{ owner: null, waiting: { code } }]), 20_000)
    const goesOn = next(runner, 'batch:success')
    await (how === 'pause' ? person.resume('endless') : person.enable())
    await goesOn
  })

  it('a pause in the middle of a batch lets it commit', async () => {
    const database = await fresh()
    const running = gate()
    const finish = gate()
    const walk = update('walk', async () => {
      running.open()
      await finish.opened
      return { items: 1, progress: { step: 1 } }
    })
    const runner = await installed(database, { updates: [walk] })
    await runner.enqueue(walk)
    const batch = runner.runNextBatch()
    await running.opened
    // SQLite has one writer: the pause waits for the batch.
    const paused = uninstalled({ database: database.another() }).pause('walk')
    if (dialect === 'postgres') await paused
    finish.open()
    await Promise.all([paused, batch])
    expect((await runner.databaseStatus()).updates).toMatchObject([
      { state: 'paused', batches: 1, progress: { step: 1 } },
    ])
  })

  it('a pause before a batch fails outlives the failure', async () => {
    const database = await fresh()
    const person = uninstalled({ database: database.another() })
    // A one-shot has no transaction open, so that SQLite's one writer isn't in the way.
    const broken = defineUpdate<never>({
      name: 'broken',
      oneShot: true,
      async run() {
        await person.pause('broken', { by: 'ann' })
        throw new Error('boom')
      },
    })
    const runner = await installed(database, { updates: [broken] })
    await runner.enqueue(broken)
    await runner.runNextBatch()
    expect((await runner.databaseStatus()).updates).toMatchObject([
      { state: 'paused', failures: 1, lastError: 'boom', waiting: { code: 'paused', text: 'paused by ann' } },
    ])
    // So it does a retry, which clears the failure and is no answer to whoever paused.
    await runner.retry('broken')
    expect((await runner.databaseStatus()).updates).toMatchObject([{ state: 'paused', lastError: null }])
  })

  it('cancel takes the row out, keeps what was committed and says so in the history', async () => {
    const database = await fresh()
    const walk = update('walk', async () => ({ items: 7, progress: { step: 1 } }))
    const updater = await installed(database, { updates: [walk] })
    await updater.enqueue(walk)
    await updater.runNextBatch()
    await updater.cancel('walk', { by: 'bob', reason: 'not needed' })
    expect(await updater.hasCompleted('walk')).toBe(true)
    expect(await updater.history()).toMatchObject([
      {
        name: 'walk',
        outcome: 'cancelled',
        finishedBy: 'bob',
        reason: 'not needed',
        batches: 1,
        items: 7,
        progress: { step: 1 },
      },
    ])
    await expect(updater.cancel('walk')).rejects.toMatchObject({ code: 'NOT_QUEUED' })
    expect(await updater.history()).toHaveLength(1)
    // The same name again starts from its beginning.
    await updater.enqueue('walk')
    expect((await updater.databaseStatus()).updates).toMatchObject([{ progress: {}, batches: 0, items: 0 }])
  })

  if (dialect === 'postgres') {
    it.each(['the same process', 'another process'])(
      'cancel by %s in the middle of a batch rolls it back',
      async (who) => {
        const database = await fresh()
        await database.query('CREATE TABLE traces (n INTEGER)')
        const running = gate()
        const long = update('long', async ({ query }) => {
          await query('INSERT INTO traces VALUES (1)')
          running.open()
          await query('SELECT pg_sleep(600)')
          return { items: 1, done: true }
        })
        const runner = await installed(database, { updates: [long], pace: noPace(), leaseMs: 60 })
        const person = who === 'the same process' ? runner : uninstalled({ database: database.another() })
        await runner.enqueue(long)
        const lost = next(runner, 'lease:lost')
        const batch = runner.runNextBatch()
        await running.opened
        await person.cancel('long')
        // The next renewal of the lease finds the row gone and cancels the statement in the server.
        expect(await lost).toMatchObject({ updateName: 'long' })
        expect(await batch).toEqual({ ran: null, complete: true })
        expect((await database.query('SELECT n FROM traces')).rows).toEqual([])
        expect(await runner.history()).toMatchObject([{ outcome: 'cancelled' }])
      },
    )
  }

  // On SQLite the open batch holds the write lock: nobody can cancel in its middle.
  if (dialect === 'postgres') {
    it.each([
      ['a batch', false],
      ['the last batch', true],
    ])(
      'cancelled and enqueued again in the middle of %s: it neither commits into the new row nor ends it',
      async (_, done) => {
        const database = await fresh()
        const running = gate()
        const finish = gate()
        let calls = 0
        const walk = update('walk', async () => {
          calls += 1
          running.open()
          await finish.opened
          return { items: 1, progress: { call: calls }, done }
        })
        const runner = await installed(database, { updates: [walk] })
        const person = uninstalled({ database: database.another() })
        await runner.enqueue(walk)
        const batch = runner.runNextBatch()
        await running.opened
        await person.cancel('walk')
        await person.enqueue('walk')
        finish.open()
        expect((await batch).ran).toBeNull()
        expect((await runner.databaseStatus()).updates).toMatchObject([{ progress: {}, batches: 0 }])
        expect((await runner.runNextBatch()).ran).toBe('walk')
      },
    )
  }

  it('what is not queued is a typed error, and what changes nothing is no event', async () => {
    const updater = await installed(await fresh(), { updates: [noting([], 'a')] })
    for (const method of ['pause', 'resume', 'cancel', 'retry'] as const) {
      await expect(updater[method]('a')).rejects.toMatchObject({ code: 'NOT_QUEUED' })
    }
    await updater.enqueue('a')
    const events: string[] = []
    updater.on('update:resume', () => events.push('resume'))
    await updater.resume('a')
    expect(events).toEqual([])
    // @ts-expect-error A number is no update.
    await expect(updater.pause(5)).rejects.toMatchObject({ code: 'CONFIGURATION' })
  })

  it('disable is stored: a restart keeps it, and hasCompleted stays false', async () => {
    const database = await fresh()
    const ran: string[] = []
    const updater = await installed(database, { updates: [noting(ran, 'a')] })
    await updater.enqueue('a')
    await updater.disable({ by: 'ann', reason: 'disk is full' })
    await updater.stop()
    const restarted = uninstalled({ database: database.another() }, { updates: [noting(ran, 'a')], pace: noPace() })
    expect(await restarted.runNextBatch()).toEqual({ ran: null, complete: false })
    await expect(restarted.runToCompletion()).rejects.toMatchObject({
      code: 'DISABLED',
      message: expect.stringContaining('ann: disk is full') as string,
    })
    const idle = next(restarted, 'updater:idle')
    await restarted.start()
    await idle
    expect(await restarted.databaseStatus()).toMatchObject({
      status: 'DISABLED',
      statusCode: 0,
      enabled: false,
      disabled: { by: 'ann', reason: 'disk is full' },
      updates: [{ waiting: { code: 'disabled', text: 'disabled by ann: disk is full' } }],
    })
    expect(await restarted.hasCompleted('a')).toBe(false)
    const complete = next(restarted, 'update:complete')
    await restarted.enable()
    await complete
    expect(ran).toEqual(['a'])
    expect(await restarted.databaseStatus()).toMatchObject({
      status: 'COMPLETE',
      statusCode: 3,
      enabled: true,
      disabled: null,
    })
  })

  it('a second pause or disable without a reason keeps the first one, and whose it is', async () => {
    const updater = await installed(await fresh(), { updates: [noting([], 'a')] })
    await updater.enqueue('a')
    const told = async () => {
      const { disabled, updates } = await updater.databaseStatus()
      return [updates[0]?.waiting?.text, disabled]
    }
    await updater.pause('a', { by: 'bob' })
    await updater.pause('a', { by: 'ann', reason: 'sale' })
    await updater.pause('a', { by: 'bob' })
    await updater.disable({ by: 'ann', reason: 'disk is full' })
    await updater.disable({ by: 'bob' })
    expect(await told()).toEqual(['paused by ann: sale', { by: 'ann', reason: 'disk is full' }])
    await updater.pause('a', { by: 'bob', reason: 'release' })
    await updater.disable({ by: 'bob', reason: 'release' })
    expect(await told()).toEqual(['paused by bob: release', { by: 'bob', reason: 'release' }])
    // What has ended is no reason any more.
    await updater.resume('a')
    await updater.enable()
    await updater.pause('a', { by: 'ann' })
    await updater.disable({ by: 'ann' })
    expect(await told()).toEqual(['paused by ann', { by: 'ann', reason: null }])
  })

  it('disable interrupts a pause at once', async () => {
    const clock = fakeClock()
    const ran: string[] = []
    const updater = await installed(await fresh(), {
      updates: [noting(ran, 'a')],
      clock,
      pace: fixedPace({ sleepMs: 3_600_000 }),
    })
    await updater.enqueue('a')
    await updater.start()
    await clock.sleeping()
    const idle = next(updater, 'updater:idle')
    await updater.disable()
    await idle
    // And enable begins with a pause of its own.
    await updater.enable()
    await clock.sleeping()
    clock.advance(3_600_000)
    await next(updater, 'update:complete')
    expect(ran).toEqual(['a'])
  })

  it('a switch that was written by hand counts, whatever it says', async () => {
    const database = await fresh()
    const updater = await installed(database, { updates: [noting([], 'a')] })
    await updater.enqueue('a')
    await database.query("INSERT INTO background_update_settings (name, value_json) VALUES ('disabled', 'please')")
    expect((await updater.runNextBatch()).ran).toBeNull()
    expect(await updater.databaseStatus()).toMatchObject({ status: 'DISABLED', disabled: { by: null, reason: null } })
  })

  it('rows edited into nonsense neither stop nor spin a runner', async () => {
    const database = await fresh()
    const ran: string[] = []
    const names = ['lease', 'owner', 'state', 'good']
    const updater = await installed(database, { updates: names.map((name) => noting(ran, name)) })
    for (const name of names) await updater.enqueue(name)
    const future =
      dialect === 'postgres'
        ? "clock_timestamp() + INTERVAL '1 hour'"
        : "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 hour')"
    await database.query(
      "UPDATE background_updates SET lease_token = 'x', tuner_json = 'xx', statistics_json = '[1]' WHERE update_name = 'lease'",
    )
    await database.query(
      `UPDATE background_updates SET lease_token = 'x', lease_expires_at = ${future} WHERE update_name = 'owner'`,
    )
    await expect(database.query("UPDATE background_updates SET state = 'dancing'")).rejects.toThrow()
    expect((await updater.runNextBatch()).ran).toBe('good')
    expect((await updater.runNextBatch()).ran).toBe('lease')
    expect((await updater.runNextBatch()).ran).toBe('state')
    expect((await updater.runNextBatch()).ran).toBeNull()
    expect((await updater.databaseStatus()).updates).toMatchObject([{ name: 'owner', waiting: { code: 'held' } }])
    expect(ran).toEqual(['good', 'lease', 'state'])
  })
})
