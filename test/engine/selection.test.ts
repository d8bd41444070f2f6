import { noPace } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { installed, memoryLogger, next, noting, observed, update } from './support.js'

describeDatabases('which update runs next', ({ fresh }) => {
  it('a plain INSERT of a name is a complete enqueue', async () => {
    const database = await fresh()
    const ran: string[] = []
    const updater = await installed(database, { updates: [noting(ran, 'x')] })
    await database.query("INSERT INTO background_updates (update_name) VALUES ('x')")
    expect(await updater.runNextBatch()).toEqual({ ran: 'x', complete: true })
    expect(await updater.runNextBatch()).toEqual({ ran: null, complete: true })
    expect(ran).toEqual(['x'])
    expect(await updater.history()).toMatchObject([{ name: 'x', outcome: 'completed' }])
  })

  it('takes the lowest ordering first, and ties by name in code point order', async () => {
    const ran: string[] = []
    const names = ['b', 'a', 'B', 'é', 'z', '_']
    const updater = await installed(await fresh(), { updates: names.map((name) => noting(ran, name)) })
    for (const name of names) await updater.enqueue(name, { ordering: name === 'z' ? -1 : 0 })
    await updater.runToCompletion()
    expect(ran).toEqual(['z', 'B', '_', 'a', 'b', 'é'])
  })

  it('waits for everything in depends_on, however it is spaced, and counts an unknown name as finished', async () => {
    const database = await fresh()
    const ran: string[] = []
    const logger = memoryLogger()
    const updater = await installed(database, { updates: ['a', 'b', 'last'].map((name) => noting(ran, name)), logger })
    await database.query(
      "INSERT INTO background_updates (update_name, depends_on, ordering) VALUES ('last', ' a ,b,, nobody ', -5), ('a', NULL, 1), ('b', ',,', 2)",
    )
    expect((await updater.databaseStatus()).updates[0]).toMatchObject({ name: 'last', dependsOn: ['a', 'b', 'nobody'] })
    await updater.runToCompletion()
    expect(ran).toEqual(['a', 'b', 'last'])
    expect(logger.texts('warn').filter((text) => text.includes('"nobody"'))).toHaveLength(1)
  })

  it('a dependency that finished or is known here is no typo', async () => {
    const ran: string[] = []
    const logger = memoryLogger()
    const updater = await installed(await fresh(), {
      updates: ['a', 'b', 'known'].map((name) => noting(ran, name)),
      logger,
    })
    await updater.enqueue('a')
    await updater.runToCompletion()
    await updater.enqueue('b', { dependsOn: ['a', 'known'] })
    await updater.runToCompletion()
    expect(logger.texts('warn')).toEqual([])
  })

  it('a definition brings its dependsOn, ordering and first progress', async () => {
    const database = await fresh()
    const seen: unknown[] = []
    const first = update('first', async () => ({ items: 0, done: true }))
    const second = update('second', async ({ progress }) => (seen.push(progress), { items: 0, done: true }), {
      dependsOn: 'first',
      ordering: -3,
      progress: { from: '9007199254740993' },
    })
    const updater = await installed(database, { updates: [first, second] })
    await updater.enqueue(second)
    await updater.enqueue('first')
    const { rows } = await database.query(
      'SELECT update_name, progress_json, depends_on, ordering FROM background_updates ORDER BY ordering',
    )
    expect(rows).toEqual([
      { update_name: 'second', progress_json: '{"from":"9007199254740993"}', depends_on: 'first', ordering: -3 },
      { update_name: 'first', progress_json: '{}', depends_on: null, ordering: 0 },
    ])
    await updater.runToCompletion()
    expect(seen).toEqual([{ from: '9007199254740993' }])
  })

  it.each(['start', 'runToCompletion'] as const)(
    '%s: a lower ordering that comes later runs at the next batch',
    async (how) => {
      const ran: string[] = []
      const long = update('long', async ({ tx }) => {
        ran.push('long')
        if (ran.length === 1) await updater.enqueue('urgent', { ordering: 1, tx })
        return { items: 1, progress: { batches: ran.length }, done: ran.length > 4 }
      })
      const updater = await installed(await fresh(), { updates: [long, noting(ran, 'urgent')], pace: noPace() })
      await updater.enqueue(long, { ordering: 5 })
      if (how === 'start') {
        const idle = next(updater, 'updater:idle')
        await updater.start()
        await idle
      } else await updater.runToCompletion()
      expect(ran).toEqual(['long', 'urgent', 'long', 'long', 'long'])
    },
  )

  it('an update without a handler, a cycle and a failed update stop nobody else', async () => {
    const database = await fresh()
    const ran: string[] = []
    const names = ['cycle1', 'cycle2', 'self', 'good']
    const broken = update('broken', () => Promise.reject(new Error('boom')), { maxAttempts: 1 })
    const updater = await installed(database, { updates: [...names.map((name) => noting(ran, name)), broken] })
    await database.query(`INSERT INTO background_updates (update_name, depends_on, ordering) VALUES
      ('cycle1', 'cycle2', 1), ('cycle2', 'cycle1', 2), ('self', 'self', 3), ('stranger', NULL, 4), ('broken', NULL, 5), ('good', NULL, 6)`)
    expect((await updater.runNextBatch()).ran).toBe('broken')
    expect((await updater.runNextBatch()).ran).toBe('good')
    expect(await updater.runNextBatch()).toEqual({ ran: null, complete: false })
    const { updates, status } = await updater.databaseStatus()
    expect(updates.map(({ name, waiting, failures }) => [name, waiting?.code, waiting?.text, failures])).toEqual([
      ['cycle1', 'dependency_cycle', 'dependency cycle cycle1 → cycle2 → cycle1', 0],
      ['cycle2', 'dependency_cycle', 'dependency cycle cycle2 → cycle1 → cycle2', 0],
      ['self', 'dependency_cycle', 'dependency cycle self → self', 0],
      ['stranger', 'no_handler', 'no handler in this process', 0],
      ['broken', 'failed', 'failed 1 time: boom', 1],
    ])
    expect(status).toBe('ABORTED')
  })

  it('never spins while nothing can run, and says why once', async () => {
    const database = await fresh()
    let statements = 0
    const logger = memoryLogger()
    const counted = observed(database.database, () => {
      statements += 1
    })
    const options = { updates: [noting([], 'a'), noting([], 'b')], pace: noPace(), logger, pollMs: 3_600_000 }
    const updater = await installed({ database: counted }, options)
    statements = 0
    await database.query(
      "INSERT INTO background_updates (update_name, depends_on) VALUES ('stranger', NULL), ('a', 'b'), ('b', 'a')",
    )
    const changes: unknown[] = []
    updater.on('queue:change', (event) => changes.push(event))
    const idle = next(updater, 'updater:idle')
    statements = 0
    await updater.start()
    expect(await idle).toEqual({ databaseName: 'main', complete: false })
    const before = statements
    expect(before).toBeLessThan(20)
    for (let turn = 0; turn < 500; turn += 1) await new Promise(setImmediate)
    expect(statements).toBe(before)
    // Looking again changes nothing.
    for (let look = 0; look < 5; look += 1) {
      await updater.enqueue('a', { ifExists: 'ignore' })
      for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate)
    }
    expect(statements).toBeGreaterThan(before)
    expect(changes).toHaveLength(1)
    expect(logger.texts('info').filter((text) => text.includes('no handler'))).toHaveLength(1)
    expect(logger.texts('info').filter((text) => text.includes('cycle'))).toHaveLength(2)
  })

  it('says at the start, in one line and one event, what the registry and the queue do not share', async () => {
    const database = await fresh()
    const logger = memoryLogger()
    const updater = await installed(database, { updates: [noting([], 'a'), noting([], 'b'), noting([], 'c')], logger })
    await database.query(
      "INSERT INTO background_updates (update_name, depends_on) VALUES ('stranger', NULL), ('a', 'b'), ('b', 'a'), ('c', 'a, tpyo')",
    )
    const started = next(updater, 'updater:start')
    await updater.start()
    const found = {
      databaseName: 'main',
      unknownRows: ['stranger'],
      unknownDependencies: ['tpyo'],
      cycles: ['a → b → a'],
    }
    expect(await started).toEqual(found)
    expect(logger.entries.filter((entry) => entry.level === 'warn')).toMatchObject([{ details: found }])
  })

  it('looks at a page of a long queue, not at all of it', async () => {
    const database = await fresh()
    const ran: string[] = []
    const texts: string[] = []
    const counted = observed(database.database, (text) => texts.push(text))
    const updater = await installed({ database: counted }, { updates: [noting(ran, 'mine'), noting(ran, 'other')] })
    await database.query(
      database.database.dialect === 'postgres'
        ? "INSERT INTO background_updates (update_name) SELECT 'stranger ' || n FROM generate_series(1, 100000) AS n"
        : "INSERT INTO background_updates (update_name) WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < 100000) SELECT 'stranger ' || n FROM series",
    )
    await updater.enqueue('mine', { ordering: 7 })
    texts.length = 0
    expect(await updater.runNextBatch()).toEqual({ ran: 'mine', complete: false })
    expect(texts.length).toBeLessThan(15)
    expect(ran).toEqual(['mine'])
  })

  it('asks about the dependencies of a whole page at once', async () => {
    const database = await fresh()
    const texts: string[] = []
    const counted = observed(database.database, (text) => texts.push(text))
    const names = Array.from({ length: 150 }, (_, index) => `u${String(index).padStart(3, '0')}`)
    const updater = await installed({ database: counted }, { updates: names.map((name) => noting([], name)) })
    for (const name of names)
      await updater.enqueue(name, { dependsOn: names.at(-1) === name ? undefined : names.at(-1) })
    texts.length = 0
    expect((await updater.runNextBatch()).ran).toBe(names.at(-1))
    expect(texts.length).toBeLessThan(16)
  })
})
