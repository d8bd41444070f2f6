import { defineUpdate, noPace } from 'evenkeel'
import { expect, it, vi } from 'vitest'
import { pipelinedTransaction } from '../../src/databases/pipelined-transaction.js'
import type { Statement } from '../../src/databases/database.js'
import { LeaseLostError } from '../../src/errors.js'
import type { Lease } from '../../src/queue/lease.js'
import { QueueStore } from '../../src/queue/queue-store.js'
import { describeDatabases } from '../support/databases.js'
import { gate, installed, next, uninstalled, update } from './support.js'

describeDatabases('several runners on one database', ({ fresh, dialect }) => {
  it('never run the same batch twice', async () => {
    const database = await fresh()
    await database.query('CREATE TABLE batches (name TEXT, batch INTEGER)')
    const names = ['a', 'b', 'c']
    const walking = names.map((name) =>
      update(name, async ({ query, progress }) => {
        const { batch = 0 } = progress as { batch?: number }
        await query('INSERT INTO batches VALUES ($1, $2)', [name, batch])
        return { items: 1, progress: { batch: batch + 1 }, done: batch + 1 === 10 }
      }),
    )
    const runners = [
      await installed(database, { updates: walking, pace: noPace(), pollMs: 5 }),
      uninstalled({ database: database.another() }, { updates: walking, pace: noPace(), pollMs: 5 }),
      uninstalled({ database: database.another() }, { updates: walking, pace: noPace(), pollMs: 5 }),
    ]
    for (const name of names) await runners[0]?.enqueue(name)
    await Promise.all(runners.map((runner) => runner.start()))
    await Promise.all(runners.map((runner) => runner.waitFor(names)))
    await Promise.all(runners.map((runner) => runner.stop()))
    const { rows } = await database.query<{ n: number; d: number }>(
      "SELECT CAST(count(*) AS INTEGER) AS n, CAST(count(DISTINCT name || ' ' || batch) AS INTEGER) AS d FROM batches",
    )
    expect(rows).toEqual([{ n: 30, d: 30 }])
    expect(await runners[0]?.history()).toMatchObject(Array(3).fill({ outcome: 'completed', batches: 10, failures: 0 }))
  })

  it('one that is alive holds its update; others say so, and run something else', async () => {
    const database = await fresh()
    const running = gate()
    const finish = gate()
    const held = update('held', async () => {
      running.open()
      await finish.opened
      return { items: 1, progress: { step: 1 } }
    })
    const free = update('free', async () => ({ items: 1, done: true }), { ordering: 1 })
    const first = await installed(database, { updates: [held, free], owner: 'host:1:aa' })
    const second = uninstalled({ database: database.another() }, { updates: [held, free], owner: 'host:2:bb' })
    await first.enqueue(held)
    if (dialect === 'postgres') await first.enqueue(free)
    const batch = first.runNextBatch()
    await running.opened
    if (dialect === 'postgres') expect((await second.runNextBatch()).ran).toBe('free')
    expect((await second.databaseStatus()).updates).toMatchObject([
      {
        name: 'held',
        state: 'running',
        owner: 'host:1:aa',
        waiting: {
          code: 'held',
          text: expect.stringMatching(/^held by host:1:aa until \d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
        },
      },
    ])
    finish.open()
    await batch
    // Handed over at once, for the first doesn't know when it is called again.
    expect((await second.runNextBatch()).ran).toBe('held')
  })

  it('one that died is taken over when its lease has run out, from its last committed batch', async () => {
    const database = await fresh()
    const progress: unknown[] = []
    const walk = update('walk', async (context) => {
      progress.push(context.progress)
      return { items: 1, progress: { step: progress.length }, done: progress.length === 2 }
    })
    const setUp = await installed(database, { updates: [walk] })
    await setUp.enqueue(walk)
    await setUp.runNextBatch()
    // As a dead process leaves it: a lease that nobody renews.
    const until =
      dialect === 'postgres'
        ? "clock_timestamp() + INTERVAL '300 milliseconds'"
        : "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+0.3 seconds')"
    await database.query(
      `UPDATE background_updates SET lease_owner = 'dead:1:aa', lease_token = 'x', lease_expires_at = ${until}`,
    )
    const heir = uninstalled({ database: database.another() }, { updates: [walk], pace: noPace(), pollMs: 5 })
    const idle = next(heir, 'updater:idle')
    const complete = next(heir, 'update:complete')
    await heir.start()
    await idle
    await complete
    expect(progress).toEqual([{}, { step: 1 }])
  })

  it('that take turns give an update up as stalled after ten batches, not ten each', async () => {
    const database = await fresh()
    const idle = update('idle', async () => ({ items: 0 }))
    const first = await installed(database, { updates: [idle] })
    const second = uninstalled({ database: database.another() }, { updates: [idle] })
    await first.enqueue(idle)
    for (let turn = 0; turn < 5; turn += 1) {
      await first.runNextBatch()
      await second.runNextBatch()
    }
    expect((await first.databaseStatus()).updates).toMatchObject([{ state: 'failed', batches: 10, failures: 1 }])
  })

  it.each([{ oneShot: false }, { oneShot: true }])(
    'one that lost its update before its batch begins does nothing of it (%o)',
    async ({ oneShot }) => {
      const database = await fresh()
      const ran: string[] = []
      const work = async () => {
        ran.push('ran')
        return { items: 1, done: true }
      }
      const walk = oneShot ? defineUpdate({ name: 'walk', oneShot, run: work }) : update('walk', work)
      const updater = await installed(database, { updates: [walk] })
      // Asked when the lease is taken and the batch hasn't begun.
      updater.registerController({
        async onUpdate() {
          await database.query("UPDATE background_updates SET lease_owner = 'heir', lease_token = 'of the heir'")
          return { targetMs: 100, [Symbol.asyncDispose]: () => {} }
        },
      })
      await updater.enqueue('walk')
      const lost = next(updater, 'lease:lost')
      expect((await updater.runNextBatch()).ran).toBeNull()
      expect(ran).toEqual([])
      expect(await lost).toMatchObject({ updateName: 'walk' })
    },
  )

  it('one that lost its update changes nothing of it, whatever it wants to write', async () => {
    const database = await fresh()
    const updater = await installed(database)
    await updater.enqueue('walk')
    const store = new QueueStore(database.database)
    const leaseOf = (owner: string): Lease => ({ updateName: 'walk', owner, token: `of ${owner}`, lane: null })
    const [frozen, heir] = [leaseOf('frozen'), leaseOf('heir')]
    expect(await store.claim(frozen, 0, null)).not.toBeNull()
    expect(await store.claim(heir, 3_600_000, null)).not.toBeNull()
    expect(await store.claim(leaseOf('third'), 3_600_000, null)).toBeNull()
    const row = async () => (await database.query('SELECT * FROM background_updates')).rows
    const before = await row()
    const counts = { batches: 1, items: 1, busyMs: 1, progressJson: '{"step":1}' }
    const record = { ...counts, batchSize: 1, tunerJson: null, statisticsJson: '{}', waitingText: null }
    const failure = { state: 'failed', attempts: 1, outcomes: 'x', error: 'boom', backOffMs: 1_000 } as const
    const inTransaction = (closing: readonly Statement[]) =>
      pipelinedTransaction(database.database, [], async () => ({ result: undefined, closing }))

    await expect(store.fence(store.ask, frozen)).rejects.toThrow(LeaseLostError)
    await expect(inTransaction(store.saving(frozen, record, 1_000))).rejects.toThrow(LeaseLostError)
    const ending = { ...counts, outcome: 'completed', by: null, reason: null } as const
    await expect(inTransaction(store.finishing(frozen, ending))).rejects.toThrow(LeaseLostError)
    expect(await store.countersOfFailure(store.ask, frozen)).toBeNull()
    expect(await store.saveFailure(store.ask, frozen, failure)).toBeNull()
    expect(await store.pauseOwn(frozen, 'us', 'reason', 'error')).toBe(false)
    expect(await store.renew(frozen, 7_200_000)).toBe(false)
    expect(await store.release(frozen)).toBe(false)
    expect(await row()).toEqual(before)
    expect(await updater.history()).toEqual([])
    expect(await store.fence(store.ask, heir)).toBe('{}')

    // Nobody can have one that is paused.
    await store.release(heir)
    await updater.pause('walk')
    expect(await store.claim(frozen, 1_000, null)).toBeNull()
  })

  if (dialect === 'sqlite') return

  it('one that was frozen past its lease cannot commit when it wakes up', async () => {
    const database = await fresh()
    await database.query('CREATE TABLE traces (who TEXT)')
    const running = gate()
    const thaw = gate()
    const updateOf = (who: string, before: () => Promise<void>) =>
      update('walk', async ({ query }) => {
        await query('INSERT INTO traces VALUES ($1)', [who])
        await before()
        return { items: 1, done: true }
      })
    const frozen = updateOf('frozen', async () => {
      running.open()
      await thaw.opened
    })
    const first = await installed(database, { updates: [frozen], owner: 'first', leaseMs: 3_600_000 })
    const second = uninstalled(
      { database: database.another() },
      { updates: [updateOf('heir', async () => {})], owner: 'second' },
    )
    await first.enqueue('walk')
    const lost = next(first, 'lease:lost')
    const batch = first.runNextBatch()
    await running.opened
    await database.query("UPDATE background_updates SET lease_expires_at = clock_timestamp() - INTERVAL '1 second'")
    expect((await second.runNextBatch()).ran).toBe('walk')
    thaw.open()
    expect((await batch).ran).toBeNull()
    expect(await lost).toEqual({ databaseName: 'main', updateName: 'walk', owner: 'first' })
    expect((await database.query('SELECT who FROM traces')).rows).toEqual([{ who: 'heir' }])
    expect(await first.history()).toMatchObject([{ finishedBy: 'second', batches: 1, failures: 0 }])
  })

  it('ends a batch at the heartbeat that finds its lease lost', async () => {
    const database = await fresh()
    const long = update('long', async ({ signal }) => {
      await database.query("UPDATE background_updates SET lease_owner = 'heir', lease_token = 'of the heir'")
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      return { items: 1, done: true }
    })
    const runner = await installed(database, { updates: [long], leaseMs: 150 })
    await runner.enqueue(long)
    expect((await runner.runNextBatch()).ran).toBeNull()
  })

  it('renews the lease while a batch is longer than it lasts', async () => {
    const database = await fresh()
    const running = gate()
    const finish = gate()
    const long = update('long', async () => {
      running.open()
      await finish.opened
      return { items: 1, done: true }
    })
    const runner = await installed(database, { updates: [long], leaseMs: 150 })
    await runner.enqueue(long)
    const expiry = async () =>
      (
        await database.query<{ t: number }>(
          'SELECT extract(epoch FROM lease_expires_at)::float8 AS t FROM background_updates',
        )
      ).rows[0]?.t ?? 0
    const batch = runner.runNextBatch()
    await running.opened
    const first = await expiry()
    await vi.waitFor(async () => expect(await expiry()).toBeGreaterThan(first + 0.2), { timeout: 10_000, interval: 20 })
    finish.open()
    expect((await batch).ran).toBe('long')
  })
})
