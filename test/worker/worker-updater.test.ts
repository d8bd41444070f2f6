import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { setImmediate as turn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { describePostgres } from '../support/postgres.js'
import { temporaryDatabaseFile, temporaryDirectory } from '../support/sqlite.js'
import { evenkeel, Flags, WorkerEndedError, workerUpdater, WorkerUpdater } from './support.js'

const NUMBERS = (rows: number) =>
  `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO t (id) SELECT i FROM n`
const TABLE = 'CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER NOT NULL DEFAULT 0)'

/** A SQLite database with a table of so many rows, and the application's own connection to it. */
function application(rows = 100) {
  const file = temporaryDatabaseFile()
  const app = new Database(file)
  onTestFinished(() => {
    app.close()
  })
  app.pragma('journal_mode = WAL')
  app.exec(`${TABLE}; ${NUMBERS(rows)}`)
  const changed = () => app.prepare('SELECT x, count(*) AS rows FROM t GROUP BY x').all()
  return { file, changed }
}

describe('an updater in a worker thread', () => {
  it('the event loop of the application turns while a batch holds the thread', async () => {
    const flags = new Flags()
    const updater = workerUpdater(application().file, flags)
    await updater.install()
    await updater.enqueue('held')
    await updater.start()
    await flags.reached()
    // The thread stands still inside of its batch; only this loop can let it go on, and it turns as often as it likes.
    for (let turns = 0; turns < 1_000; turns += 1) await turn()
    expect(flags.holds).toBe(true)
    flags.letGoOn()
    await updater.waitFor('held')
  })

  it('a backfill changes every row once, and its events come across', async () => {
    const { file, changed } = application(100_000)
    const updater = workerUpdater(file)
    let items = 0
    updater.on('batch:success', (event) => {
      items += event.items
    })
    const completed: string[] = []
    updater.once('update:complete', ({ updateName }) => completed.push(updateName))
    await updater.install()
    await updater.enqueue('fill')
    await updater.start()
    await updater.waitFor('fill')
    expect(changed()).toEqual([{ x: 1, rows: 100_000 }])
    expect(items).toBe(100_000)
    expect(completed).toEqual(['fill'])
    expect(await updater.hasCompleted('fill')).toBe(true)
    expect(await updater.history()).toMatchObject([{ name: 'fill', outcome: 'completed', items: 100_000 }])
  })

  it('killed in the middle of a batch, it goes on with nothing lost and nothing done twice', async () => {
    const { file, changed } = application()
    const flags = new Flags()
    const updater = workerUpdater(file, flags)
    await updater.install()
    await updater.enqueue('tens')
    const stops: (Error | null)[] = []
    updater.on('updater:stop', ({ error }) => stops.push(error))
    await updater.start()
    await flags.reached()
    const waiting = expect(updater.waitFor('tens')).rejects.toMatchObject({ code: 'WORKER_ENDED' })
    await updater.terminate()
    await waiting
    expect(stops).toEqual([expect.any(WorkerEndedError)])
    // Four batches are committed; the fifth was in the middle of its transaction.
    expect(changed()).toEqual([
      { x: 0, rows: 60 },
      { x: 1, rows: 40 },
    ])
    flags.letGoOn()
    await updater.start()
    await updater.waitFor('tens')
    expect(changed()).toEqual([{ x: 1, rows: 100 }])
  })

  it('start and stop may be called twice, and again after a stop', async () => {
    const updater = workerUpdater(application().file)
    await updater.stop()
    await updater.install()
    await Promise.all([updater.start(), updater.start()])
    await Promise.all([updater.stop(), updater.stop()])
    await updater.enqueue('fill')
    await updater.start()
    await updater.waitFor('fill')
    await updater.stop()
    expect((await updater.databaseStatus()).status).toBe('COMPLETE')
  })

  it('a stop cancels the batch when its grace is over, and a second one may be less patient', async () => {
    const flags = new Flags()
    const updater = workerUpdater(application().file, flags)
    await updater.install()
    await updater.enqueue('endless')
    await updater.start()
    await flags.reached()
    const patient = updater.stop({ graceMs: 3_600_000 })
    await Promise.all([patient, updater.stop({ graceMs: 0 })])
    expect((await updater.databaseStatus()).updates).toMatchObject([{ name: 'endless', state: 'queued', failures: 0 }])
    await expect(updater.stop({ graceMs: -1 })).rejects.toBeInstanceOf(evenkeel.ConfigurationError)
  })

  it('pauses, resumes, cancels, disables and tells its status', async () => {
    const updater = workerUpdater(application().file)
    await updater.install()
    await updater.enqueue('fill', { ordering: 3 })
    await updater.pause('fill', { by: 'me', reason: 'lunch' })
    await updater.disable({ by: 'me', reason: 'a holiday' })
    const status = await updater.status()
    expect(status.databases.main).toMatchObject({ status: 'DISABLED', disabled: { by: 'me', reason: 'a holiday' } })
    expect(status.databases.main?.updates).toMatchObject([{ name: 'fill', state: 'paused', ordering: 3 }])
    await updater.set({ targetMs: 20 }, { by: 'me' })
    // A definition, which has functions and can't cross.
    const fill = evenkeel.backfill({ name: 'fill', table: 't', set: { x: '1' } })
    await updater.set({ targetMs: 30 }, { by: 'me', update: fill })
    expect(await updater.settings()).toMatchObject([
      { key: 'targetMs', update: null, value: 20 },
      { key: 'targetMs', update: 'fill', value: 30 },
    ])
    expect(await updater.quarantined({ update: fill })).toEqual([])
    expect((await updater.audit()).length).toBeGreaterThan(0)
    expect(await updater.why('fill')).toMatchObject({ name: 'fill' })
    await updater.enable()
    await updater.resume('fill')
    await updater.cancel({ name: 'fill' }, { by: 'me' })
    expect(await updater.history({ limit: 1 })).toMatchObject([{ name: 'fill', outcome: 'cancelled' }])
    expect(await updater.currentUpdate()).toBeNull()
  })
})

describe('errors of a worker', () => {
  it('come across with their class, code, hint and members', async () => {
    const updater = workerUpdater(application().file)
    await expect(updater.status()).rejects.toBeInstanceOf(evenkeel.NotInstalledError)
    await updater.install()
    await updater.enqueue('broken')
    const twice = await updater.enqueue('broken').catch((error: unknown) => error)
    expect(twice).toBeInstanceOf(evenkeel.AlreadyQueuedError)
    expect(twice).toMatchObject({ name: 'AlreadyQueuedError', code: 'ALREADY_QUEUED' })
    expect((twice as InstanceType<typeof evenkeel.EvenkeelError>).hint).not.toBe('')
    const failures: Error[] = []
    updater.on('update:fail', ({ error }) => failures.push(error))
    await expect(updater.runToCompletion()).rejects.toMatchObject({
      code: 'NEEDS_PERSON',
      updates: [{ name: 'broken', code: 'failed' }],
    })
    expect(failures).toHaveLength(1)
    expect(failures[0]).toMatchObject({ name: 'RangeError', message: 'out of bounds' })
    await updater.retry('broken')
  })

  it('a signal of the caller is obeyed, and its own reason comes back', async () => {
    const updater = workerUpdater(application().file)
    await updater.install()
    await updater.enqueue('fill')
    const abort = new AbortController()
    const reason = new Error('enough')
    const waiting = updater.waitFor('fill', { signal: abort.signal })
    await updater.pause('fill')
    abort.abort(reason)
    expect(await waiting.catch((error: unknown) => error)).toBe(reason)
    await expect(updater.waitFor('fill', { signal: abort.signal })).rejects.toBe(reason)
  })

  it.each([
    ['a promise that nobody waits for is rejected', 'stray', /nobody waits for me/],
    ['the thread exits', 'exits', /exited with code 3/],
  ])('%s: what is under way rejects, and the next call makes another thread', async (_, name, message) => {
    const updater = workerUpdater(application().file)
    await updater.install()
    await updater.enqueue(name)
    await updater.start()
    await expect(updater.waitFor(name)).rejects.toMatchObject({
      code: 'WORKER_ENDED',
      message: expect.stringMatching(message) as string,
    })
    await updater.cancel(name)
    expect(await updater.hasCompleted(name)).toBe(true)
  })

  it('a module that is none is told', async () => {
    const file = application().file
    const module = (name: string) => workerUpdater(file, undefined, { module: new URL(name, import.meta.url) })
    await expect(module('./missing.mjs').status()).rejects.toThrow(/Cannot find module/)
    // A module without an updater.
    await expect(module('./support.ts').status()).rejects.toThrow()
    const unnamed = workerUpdater(file, undefined, { data: { shared: new SharedArrayBuffer(8) } })
    await expect(unnamed.status()).rejects.toBeInstanceOf(evenkeel.ConfigurationError)
  })

  it('wrong options, and what can’t cross, are refused at once', async () => {
    const { ConfigurationError } = evenkeel
    expect(() => new WorkerUpdater({ module: './updates.mjs' })).toThrow(ConfigurationError)
    const misspelt = { module: new URL('./updates.mjs', import.meta.url), databasename: 'x' }
    expect(() => new WorkerUpdater(misspelt)).toThrow(/did you mean "databaseName"/)
    const updater = workerUpdater(application().file)
    await expect(updater.enqueue('fill', { tx: {} } as never)).rejects.toBeInstanceOf(ConfigurationError)
    await expect(updater.pause('fill', { reason: (() => {}) as never })).rejects.toThrow(/could not be cloned/)
  })
})

it('a process may end beside a worker that isn’t started', async () => {
  const script = `
    import { WorkerUpdater } from ${JSON.stringify(new URL('../../dist/worker/index.js', import.meta.url).href)}
    const updater = new WorkerUpdater({
      module: ${JSON.stringify(fileURLToPath(new URL('./updates.mjs', import.meta.url)))},
      data: { database: ${JSON.stringify(application().file)}, shared: new SharedArrayBuffer(8) },
    })
    await updater.install()
    console.log((await updater.databaseStatus()).status)`
  const file = path.join(temporaryDirectory(), 'application.mjs')
  writeFileSync(file, script)
  const { stdout } = await promisify(execFile)(process.execPath, [file])
  expect(stdout).toBe('COMPLETE\n')
})

describePostgres('an updater in a worker thread', (postgres) => {
  it('changes every row once', async () => {
    const { pool, url } = await postgres.freshDatabase()
    await pool.query(`${TABLE}; ${NUMBERS(5_000)}`)
    const updater = workerUpdater(url)
    await updater.install()
    await updater.enqueue('fill')
    expect(await updater.runToCompletion({ names: [{ name: 'fill' }] })).toMatchObject({
      completed: ['fill'],
      items: 5_000,
    })
    const { rows } = await pool.query('SELECT x, count(*)::int AS rows FROM t GROUP BY x')
    expect(rows).toEqual([{ x: 1, rows: 5_000 }])
  })
})
