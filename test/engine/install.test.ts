import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { installSql } from 'evenkeel'
import { expect, it } from 'vitest'
import * as firstRevision from '../../src/schema/revisions/001-queue.js'
import { recordRevision, revisionTable } from '../../src/schema/revisions.js'
import { tablesOf } from '../../src/schema/tables.js'
import { describeDatabases } from '../support/databases.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'
import { installed, noting, uninstalled, update } from './support.js'

describeDatabases('installing and adopting', ({ fresh, dialect }) => {
  it('the four public columns have their types and defaults, and all further columns need nothing', async () => {
    const database = await fresh()
    const updater = uninstalled(database)
    expect(await updater.install()).toEqual({ from: 0, to: 2, adopted: false })
    expect(await updater.install()).toEqual({ from: 2, to: 2, adopted: false })
    await database.query("INSERT INTO background_updates (update_name) VALUES ('x')")
    expect(
      (await database.query('SELECT update_name, progress_json, depends_on, ordering FROM background_updates')).rows,
    ).toEqual([{ update_name: 'x', progress_json: '{}', depends_on: null, ordering: 0 }])
    await expect(database.query("INSERT INTO background_updates (update_name) VALUES ('x')")).rejects.toThrow()
    await expect(
      database.query("INSERT INTO background_updates (update_name, progress_json) VALUES ('y', NULL)"),
    ).rejects.toThrow()
    await expect(database.query('INSERT INTO background_updates (update_name) VALUES (NULL)')).rejects.toThrow()
  })

  it('many processes may install at once', async () => {
    const database = await fresh()
    const updaters = Array.from({ length: 4 }, () => uninstalled({ database: database.another() }))
    const results = await Promise.all(updaters.map((updater) => updater.install()))
    expect(results.filter(({ from }) => from === 0)).toHaveLength(1)
  })

  it.each([
    [
      'UNIQUE and no default',
      'update_name TEXT NOT NULL, progress_json TEXT NOT NULL, depends_on TEXT, ordering INT NOT NULL DEFAULT 0, CONSTRAINT u UNIQUE (update_name)',
    ],
    [
      'UNIQUE, no default and NULL allowed',
      'update_name TEXT UNIQUE, progress_json TEXT, depends_on TEXT, ordering INTEGER',
    ],
    [
      'a primary key',
      "update_name TEXT PRIMARY KEY, progress_json TEXT NOT NULL DEFAULT '{}', depends_on TEXT, ordering INTEGER NOT NULL DEFAULT 0",
    ],
  ])('adopts a table of four columns with %s, and loses no row', async (_name, columns) => {
    const database = await fresh()
    await database.query(`CREATE TABLE background_updates (${columns})`)
    await database.query(
      `INSERT INTO background_updates (update_name, progress_json, depends_on, ordering) VALUES ('b', '{"at":5}', 'a', 3), ('a', '{}', NULL, 7)`,
    )
    const ran: string[] = []
    const seen: unknown[] = []
    const b = update('b', async ({ progress }) => (ran.push('b'), seen.push(progress), { items: 1, done: true }))
    const updater = uninstalled(database, { updates: [noting(ran, 'a'), b] })
    expect(await updater.install()).toMatchObject({ adopted: true })
    await database.query("INSERT INTO background_updates (update_name) VALUES ('c')")
    expect(
      (
        await database.query(
          'SELECT update_name, progress_json, depends_on, ordering, state FROM background_updates ORDER BY update_name',
        )
      ).rows,
    ).toEqual([
      { update_name: 'a', progress_json: '{}', depends_on: null, ordering: 7, state: 'queued' },
      { update_name: 'b', progress_json: '{"at":5}', depends_on: 'a', ordering: 3, state: 'queued' },
      { update_name: 'c', progress_json: '{}', depends_on: null, ordering: 0, state: 'queued' },
    ])
    await expect(updater.enqueue('a')).rejects.toMatchObject({ code: 'ALREADY_QUEUED' })
    await updater.runToCompletion({ names: ['b'] })
    expect(ran).toEqual(['a', 'b'])
    expect(seen).toEqual([{ at: 5 }])
  })

  it('adopts rows that say nothing of their progress and ordering', async () => {
    const database = await fresh()
    await database.query(
      'CREATE TABLE background_updates (update_name TEXT UNIQUE, progress_json TEXT, depends_on TEXT, ordering INTEGER)',
    )
    await database.query("INSERT INTO background_updates (update_name) VALUES ('a')")
    const updater = await installed(database, { updates: [noting([], 'a')] })
    expect((await updater.runNextBatch()).ran).toBe('a')
  })

  it('refuses a table that is not a queue, and changes nothing', async () => {
    const database = await fresh()
    await database.query('CREATE TABLE background_updates (update_name TEXT PRIMARY KEY, something TEXT)')
    await expect(uninstalled(database).install()).rejects.toMatchObject({ code: 'CANNOT_ADOPT' })
    await database.query('SELECT something FROM background_updates')
    await expect(database.query('SELECT 1 FROM background_update_history')).rejects.toThrow()
  })

  it('upgrades an older installation with the rows that are in it', async () => {
    const database = await fresh()
    const tables = tablesOf(dialect)
    const first = [revisionTable(tables), ...firstRevision[dialect](tables), recordRevision(tables, 1)]
    for (const statement of first) await database.query(statement)
    await database.query("INSERT INTO background_updates (update_name, batches) VALUES ('a', 7)")
    const ran: string[] = []
    const updater = uninstalled(database, { updates: [noting(ran, 'a')] })
    await expect(updater.start()).rejects.toMatchObject({ code: 'VERSION_MISMATCH', installed: 1 })
    expect(await updater.install()).toEqual({ from: 1, to: 2, adopted: false })
    expect((await updater.status()).databases.main?.updates).toMatchObject([{ name: 'a', batches: 7 }])
    await updater.runToCompletion()
    expect(ran).toEqual(['a'])
  })

  it('refuses a database that is newer than the code, everywhere', async () => {
    const database = await fresh()
    await installed(database)
    await database.query('INSERT INTO background_update_revisions (revision) VALUES (99)')
    const updater = uninstalled(database, { updates: [noting([], 'a')] })
    const mismatch = { code: 'VERSION_MISMATCH', installed: 99, supported: 2 }
    await expect(updater.install()).rejects.toMatchObject(mismatch)
    await expect(updater.start()).rejects.toMatchObject(mismatch)
    await expect(updater.runNextBatch()).rejects.toMatchObject(mismatch)
    await expect(updater.enqueue('a')).rejects.toMatchObject(mismatch)
    await expect(updater.status()).rejects.toMatchObject(mismatch)
  })

  it('without an installation every method says so, and creates nothing', async () => {
    const database = await fresh()
    const updater = uninstalled(database, { updates: [noting([], 'a')] })
    const calls: [string, () => Promise<unknown>][] = [
      ['start', () => updater.start()],
      ['runNextBatch', () => updater.runNextBatch()],
      ['runToCompletion', () => updater.runToCompletion()],
      ['waitFor', () => updater.waitFor('a')],
      ['hasCompleted', () => updater.hasCompleted('a')],
      ['currentUpdate', () => updater.currentUpdate()],
      ['status', () => updater.status()],
      ['history', () => updater.history()],
      ['performance', () => updater.performance('a')],
      ['enqueue', () => updater.enqueue('a')],
      ['enqueue with tx', () => database.database.transaction((tx) => updater.enqueue('a', { tx }))],
      ['pause', () => updater.pause('a')],
      ['resume', () => updater.resume('a')],
      ['cancel', () => updater.cancel('a')],
      ['retry', () => updater.retry('a')],
      ['disable', () => updater.disable()],
      ['enable', () => updater.enable()],
      ['checkInstallation', () => updater.checkInstallation()],
    ]
    for (const [name, call] of calls) {
      await expect(call(), name).rejects.toMatchObject({
        code: 'NOT_INSTALLED',
        hint: expect.stringContaining('evenkeel install') as string,
      })
    }
    await expect(database.query('SELECT 1 FROM background_updates')).rejects.toThrow()
    await updater.install()
    for (const name of ['hasCompleted', 'status', 'enqueue']) await calls.find(([each]) => each === name)?.[1]()
  })

  it('installSql is the same installation', async () => {
    const database = await fresh()
    const statements = installSql(dialect)
      .split(/;\n/)
      .filter((statement) => statement.trim() !== '')
    await database.database.session(async ({ query }) => {
      for (const statement of statements) await query(statement)
    })
    const updater = uninstalled(database, { updates: [noting([], 'a')] })
    await updater.checkInstallation()
    expect(await updater.install()).toEqual({ from: 2, to: 2, adopted: false })
    await updater.enqueue('a')
    expect((await updater.runNextBatch()).complete).toBe(true)
  })

  it('lives in a schema of its own where one is named', async () => {
    const database = await fresh()
    if (dialect === 'sqlite') {
      expect(() =>
        uninstalled({ database: fromBetterSqlite3(temporaryDatabaseFile()) as never }, { schema: 'ops' }),
      ).toThrow('schema is for PostgreSQL')
      return
    }
    const updater = await installed(database, { updates: [noting([], 'a')], schema: 'Ops "queue"' })
    await updater.enqueue('a')
    expect((await database.query('SELECT update_name FROM "Ops ""queue""".background_updates')).rows).toEqual([
      { update_name: 'a' },
    ])
    await updater.runToCompletion()
    expect(await updater.history()).toHaveLength(1)
  })
})
