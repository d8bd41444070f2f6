import { BackgroundUpdater, defineUpdate, type Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { memoryLogger } from '../engine/support.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'
import { hostile, labelOf, mutate, mutations } from './hostile.js'
import { fuzz, inputs, typed } from './inputs.js'
import { catalogue, sentinel } from './sentinel.js'

/** The methods with arguments that work. */
const METHODS: Readonly<Record<string, () => readonly unknown[]>> = {
  enqueue: () => ['x', { progress: { step: 1 }, dependsOn: ['y'], ordering: 1, ifExists: 'ignore', by: 'anna' }],
  pause: () => ['x', { by: 'anna', reason: 'a test' }],
  resume: () => ['x', { by: 'anna', reason: 'a test' }],
  cancel: () => ['x', { by: 'anna', reason: 'a test' }],
  retry: () => ['x', { by: 'anna', quarantined: false }],
  disable: () => [{ by: 'anna', reason: 'a test' }],
  enable: () => [],
  history: () => [{ limit: 3 }],
  performance: () => ['x'],
  hasCompleted: () => ['x', 'y'],
  waitFor: () => [['x'], { timeoutMs: 0 }],
  runNextBatch: () => [],
  stop: () => [{ graceMs: 0 }],
  registerController: () => [{ onUpdate: () => ({ targetMs: 1 }), defaultBatchSize: 1, minBatchSize: 1 }],
  status: () => [],
  currentUpdate: () => [],
  install: () => [],
  checkInstallation: () => [],
}

it(
  'the methods of an updater refuse hostile arguments with typed errors and harm nothing',
  { timeout: 600_000 },
  async () => {
    const database = await sentinel(fromBetterSqlite3(temporaryDatabaseFile()) as unknown as Database<never>)
    const before = await catalogue(database)
    const input = fc.tuple(fc.constantFrom(...Object.keys(METHODS)), mutations)
    let updater = updaterOn(database)
    await fuzz('methods of an updater', inputs(0.15), input, async ([name, changes]) => {
      await typed(
        () => `${name}(${labelOf(changes)})`,
        async () => {
          const methods = updater as unknown as Record<string, (...args: unknown[]) => unknown>
          const called = methods[name]?.(...mutate(METHODS[name]?.() ?? [], changes))
          // Without its limit it waits, as it should, for as long as the update is queued.
          await Promise.all([called, name === 'waitFor' ? emptyQueue(database) : null])
        },
      )
      // A controller that was taken stays; the next input gets an updater without one.
      if (name === 'registerController') updater = updaterOn(database)
    })
    await updater.enable()
    await typed(
      () => 'the status afterwards',
      () => updater.status(),
    )
    expect(await catalogue(database)).toEqual(before)
  },
)

it(
  'what a handler returns is refused with a typed error, and nothing of it is kept',
  { timeout: 600_000 },
  async () => {
    const database = await sentinel(fromBetterSqlite3(temporaryDatabaseFile()) as unknown as Database<never>)
    let result: unknown
    const update = defineUpdate<never>({
      name: 'x',
      async batch() {
        return result as never
      },
    })
    const updater = updaterOn(database, [update])
    const input = fc.tuple(fc.boolean(), mutations)
    await fuzz('results of a handler', inputs(0.05), input, async ([whole, changes]) => {
      await updater.enqueue('x', { ifExists: 'ignore' })
      await updater.retry('x')
      const [mutated] = mutate(
        [{ items: 1, progress: { step: 1, list: [1, { a: 'b' }] }, done: false, tune: true }],
        changes,
      )
      result = whole ? changes[0]?.value.make() : mutated
      await typed(
        () => `returns ${whole ? changes[0]?.value.label : labelOf(changes)}`,
        () => updater.runNextBatch(),
      )
      const status = await updater.databaseStatus()
      for (const { lastError, progress } of status.updates) {
        if (lastError !== null) expect(lastError.length).toBeLessThan(20_000)
        expect(JSON.parse(JSON.stringify(progress))).toEqual(progress)
      }
      if (status.updates.length > 0) await updater.cancel('x')
    })
  },
)

it('a controller that is hostile delays its update and ends nothing', { timeout: 600_000 }, async () => {
  const database = await sentinel(fromBetterSqlite3(temporaryDatabaseFile()) as unknown as Database<never>)
  const update = defineUpdate<never>({ name: 'x', batch: async () => ({ items: 1, done: true }) })
  await fuzz('answers of a controller', inputs(0.02), hostile, async ({ label, make }) => {
    const updater = updaterOn(database, [update])
    await updater.enqueue('x', { ifExists: 'ignore' })
    updater.registerController({ onUpdate: () => make() as never })
    await typed(
      () => `onUpdate returns ${label}`,
      () => updater.runNextBatch(),
    )
    await typed(
      () => `status after ${label}`,
      () => updater.status(),
    )
  })
})

function emptyQueue(database: Database<never>): Promise<unknown> {
  return database.session(({ query }) => query('DELETE FROM background_updates'))
}

function updaterOn(
  database: Database<never>,
  updates = [defineUpdate<never>({ name: 'x', batch: async () => ({ items: 1, done: true }) })],
) {
  const updater = new BackgroundUpdater<never>({ database, updates, logger: memoryLogger(), pollMs: 5 })
  onTestFinished(() => updater.stop({ graceMs: 0 }))
  return updater
}
