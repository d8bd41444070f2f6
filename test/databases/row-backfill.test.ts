import { expect, it } from 'vitest'
import { rowBackfill } from '../../src/updates/row-backfill.js'
import { describeDatabases, type EitherDatabase } from '../support/databases.js'
import { queued, runAll, updaterOf } from '../support/walks.js'

async function execute(db: EitherDatabase, ...statements: readonly string[]): Promise<void> {
  for (const statement of statements) await db.query(statement)
}

async function number(db: EitherDatabase, text: string): Promise<number> {
  return Number((await db.query<{ n: unknown }>(text)).rows[0]?.n)
}

async function quarantined(db: EitherDatabase): Promise<{ key: unknown; error: string; attempts: number }[]> {
  const { rows } = await db.query<{ key_json: string; error: string; attempts: number }>(
    'SELECT key_json, error, attempts FROM background_update_quarantine ORDER BY id',
  )
  return rows.map((row) => ({
    key: JSON.parse(row.key_json) as unknown,
    error: row.error,
    attempts: Number(row.attempts),
  }))
}

const NUMBERS = (rows: number) => `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})`

const TABLE = [
  `CREATE TABLE "T" ("Id" INTEGER PRIMARY KEY, name TEXT, x INTEGER CHECK (x <> -13), "y" TEXT DEFAULT 'old')`,
  `INSERT INTO "T" ("Id", name) ${NUMBERS(60)} SELECT i, 'n' || i FROM n`,
]

describeDatabases('rowBackfill', (context) => {
  const key = (id: number) => (context.dialect === 'postgres' ? [String(id)] : [id])

  it('writes what map returns; what it leaves out stays', async () => {
    const db = await context.fresh()
    await execute(db, ...TABLE)
    const seen: number[] = []
    const update = rowBackfill<{ Id: number; name: string }>({
      name: 'rows',
      table: 'T',
      columns: ['Id', 'name'],
      where: `name <> 'n7'`,
      map(row) {
        seen.push(row.Id)
        if (row.Id % 5 === 0) return undefined
        if (row.Id % 5 === 1) return { x: row.Id * 2 }
        if (row.Id % 5 === 2) return { y: row.name.toUpperCase(), x: null }
        return { ...row, x: row.Id, y: undefined }
      },
    })
    const updater = await queued(db, update, [1, 20, 7])
    await runAll(updater)
    expect(seen).toEqual(Array.from({ length: 60 }, (_, i) => i + 1).filter((id) => id !== 7))
    expect(await number(db, `SELECT count(*) AS n FROM "T" WHERE "Id" % 5 = 0 AND x IS NULL AND y = 'old'`)).toBe(12)
    expect(await number(db, `SELECT count(*) AS n FROM "T" WHERE "Id" % 5 = 1 AND x = "Id" * 2 AND y = 'old'`)).toBe(12)
    expect(await number(db, `SELECT count(*) AS n FROM "T" WHERE "Id" % 5 = 2 AND x IS NULL AND y = upper(name)`)).toBe(
      11,
    )
    expect(await number(db, `SELECT count(*) AS n FROM "T" WHERE "Id" % 5 > 2 AND x = "Id" AND y = 'old'`)).toBe(23 + 1)
    expect((await updater.history())[0]).toMatchObject({ items: 60, progress: { walked: 60, changed: 47 } })
  })

  it('fails at once with the row’s key by default, in map or in the database, and loses nothing', async () => {
    const db = await context.fresh()
    await execute(db, ...TABLE)
    let broken: 'map' | 'write' | null = 'map'
    const update = rowBackfill<{ Id: number }>({
      name: 'rows',
      table: 'T',
      columns: ['Id'],
      map(row) {
        if (row.Id === 33 && broken === 'map') throw new Error('cannot read this one')
        return { x: row.Id === 33 && broken === 'write' ? -13 : 1 }
      },
    })
    const updater = await queued(db, update, [20])
    await expect(updater.runToCompletion()).rejects.toThrow(/the row Id = 33 failed: cannot read this one/)
    expect(await number(db, 'SELECT count(*) AS n FROM "T" WHERE x = 1')).toBe(20)
    broken = 'write'
    await updater.retry('rows')
    await expect(updater.runToCompletion()).rejects.toThrow(/the row Id = 33 failed: .*(check|CHECK)/)
    expect(await number(db, 'SELECT count(*) AS n FROM "T" WHERE x = 1')).toBe(20)
    broken = null
    await updater.retry('rows')
    await updater.runToCompletion()
    expect(await number(db, 'SELECT count(*) AS n FROM "T" WHERE x = 1')).toBe(60)
    expect(await quarantined(db)).toEqual([])
  })

  it.each(['map', 'mapBatch'] as const)('sets failing rows aside within maxQuarantined, with %s', async (kind) => {
    const db = await context.fresh()
    await execute(db, ...TABLE)
    const broken = new Set([5, 6, 41])
    const change = (row: { Id: number }) => {
      if (row.Id === 5 && broken.has(5)) throw new Error('five')
      return { x: broken.has(row.Id) ? -13 : 1 }
    }
    const update = rowBackfill<{ Id: number }>({
      name: 'rows',
      table: 'T',
      columns: ['Id'],
      maxQuarantined: 3,
      ...(kind === 'map' ? { map: change } : { mapBatch: (rows) => rows.map(change) }),
    })
    const updater = await queued(db, update, [17])
    await runAll(updater)
    expect(await number(db, 'SELECT count(*) AS n FROM "T" WHERE x = 1')).toBe(57)
    const entries = await quarantined(db)
    expect(entries.map((row) => row.key)).toEqual([key(5), key(6), key(41)])
    expect(entries.map((row) => row.error)).toEqual([
      'five',
      expect.stringMatching(/check/i),
      expect.stringMatching(/check/i),
    ])
  })

  it('tries quarantined rows again after the update has finished, and only those', async () => {
    const db = await context.fresh()
    await execute(db, ...TABLE)
    const broken = new Set([5, 6, 41])
    let calls = 0
    const update = rowBackfill<{ Id: number }>({
      name: 'rows',
      table: 'T',
      columns: ['Id'],
      maxQuarantined: 3,
      map(row) {
        calls += 1
        if (broken.has(row.Id)) throw new Error(`no ${row.Id}`)
        return { x: 1 }
      },
    })
    const updater = await queued(db, update, [17])
    await runAll(updater)
    expect(await quarantined(db)).toEqual([5, 6, 41].map((id) => ({ key: key(id), error: `no ${id}`, attempts: 1 })))
    broken.delete(5)
    await execute(db, 'DELETE FROM "T" WHERE "Id" = 41')
    calls = 0
    await updater.retry('rows', { quarantined: true })
    await runAll(updaterOf(db.database, update, [1]))
    expect(calls).toBe(2)
    expect(await quarantined(db)).toEqual([{ key: key(6), error: 'no 6', attempts: 2 }])
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string
    const left = { update: 'rows', key: key(6), error: 'no 6', attempts: 2, at }
    expect(await updater.quarantined({ update })).toEqual([left])
    expect(await updater.quarantined({ update: 'another' })).toEqual([])
    await execute(
      db,
      `INSERT INTO background_update_quarantine (update_name, key_json, error) VALUES ('z', 'by hand', 'e')`,
    )
    expect(await updater.quarantined()).toMatchObject([left, { update: 'z', key: 'by hand', attempts: 1 }])
    expect(await updater.quarantined({ limit: 1 })).toEqual([left])
    expect(await number(db, 'SELECT count(*) AS n FROM "T" WHERE x = 1')).toBe(58)
  })

  it('tries quarantined rows again when that is asked for in the middle of a batch', async () => {
    // SQLite's only writer is the batch.
    if (context.dialect === 'sqlite') return
    const db = await context.fresh()
    await execute(db, ...TABLE)
    let broken = true
    const update = rowBackfill<{ Id: number }>({
      name: 'rows',
      table: 'T',
      columns: ['Id'],
      maxQuarantined: 3,
      async map({ Id }) {
        if (Id === 5 && broken) throw new Error('five')
        if (Id === 30 && broken) {
          broken = false
          await updater.retry('rows', { quarantined: true })
        }
        return { x: 1 }
      },
    })
    const updater = await queued(db, update, [20])
    await updater.runToCompletion()
    expect(await quarantined(db)).toEqual([])
    expect(await number(db, 'SELECT count(*) AS n FROM "T" WHERE x = 1')).toBe(60)
  })

  it('fails when more rows than allowed would be in quarantine, and then keeps the batch before', async () => {
    const db = await context.fresh()
    await execute(db, ...TABLE)
    const broken = new Set([5, 6, 41])
    const update = rowBackfill<{ Id: number }>({
      name: 'rows',
      table: 'T',
      columns: ['Id'],
      maxQuarantined: 2,
      map: (row) => ({ x: broken.has(row.Id) ? -13 : 1 }),
    })
    const updater = await queued(db, update, [20])
    await expect(updater.runToCompletion()).rejects.toThrow(/Id = 41 failed.*more than 2 rows/)
    expect((await quarantined(db)).map((row) => row.key)).toEqual([key(5), key(6)])
    expect(await number(db, 'SELECT count(*) AS n FROM "T" WHERE x = 1')).toBe(38)
    // A retry with the quarantine goes on with the walk.
    broken.clear()
    await updater.retry('rows', { quarantined: true })
    await updater.runToCompletion()
    expect(await quarantined(db)).toEqual([])
    expect(await number(db, 'SELECT count(*) AS n FROM "T" WHERE x = 1')).toBe(60)
  })

  it.each([
    [{ map: () => ({ z: 1, X: 2 }) }, /no column "X"|no column "z"/],
    [{ map: () => ({ Id: 5 }) }, /"Id" belongs to the key/],
    [{ map: () => 'text' as unknown as object }, /map returned "text"/],
    [{ map: undefined, mapBatch: () => [] }, /0 entries for 20 rows/],
    [{ columns: ['nam'] }, /no column "nam"; did you mean "name"\?/],
  ])('refuses %o', async (wrong, message) => {
    const db = await context.fresh()
    await execute(db, ...TABLE)
    const update = rowBackfill<Record<string, unknown>>({
      name: 'rows',
      table: 'T',
      columns: ['name'],
      map: () => ({ x: 1 }),
      maxQuarantined: 100,
      ...wrong,
    })
    const updater = await queued(db, update, [20])
    await expect(updater.runToCompletion()).rejects.toThrow(message)
    expect(await number(db, 'SELECT count(*) AS n FROM "T" WHERE x IS NOT NULL')).toBe(0)
    expect(await quarantined(db)).toEqual([])
  })
})
