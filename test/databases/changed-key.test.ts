import { backfill } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases, type EitherDatabase } from '../support/databases.js'
import { queued, updaterOf } from '../support/walks.js'

interface Change {
  readonly key: string
  /** The key of row `i`, so that the first batches are of other rows than they would be in the new order. */
  readonly value: string
  readonly to: string
  readonly message: RegExp
}

const POSTGRES: readonly Change[] = [
  { key: 'int', value: 'i', to: 'text', message: /by \(id int4\), and is now to walk over public\.t by \(id text\)/ },
  { key: 'int', value: 'i', to: 'numeric USING -id', message: /by \(id int4\), .* by \(id numeric\)/ },
  {
    key: 'text COLLATE "en-x-icu"',
    value: 'chr(CASE i % 2 WHEN 0 THEN 65 ELSE 97 END + i)',
    to: 'text COLLATE "C"',
    message: /by \(id text COLLATE pg_catalog\."en-x-icu"\), .* by \(id text COLLATE pg_catalog\."C"\)/,
  },
]

const SQLITE: readonly Change[] = [
  { key: 'INT NOT NULL', value: 'i', to: 'TEXT NOT NULL', message: /by \(id INT\), .* over main\.t by \(id TEXT\)/ },
  {
    key: 'varchar(9) COLLATE nocase NOT NULL',
    value: 'char(CASE i % 2 WHEN 0 THEN 65 ELSE 97 END + i)',
    to: 'varchar(12) NOT NULL',
    message: /by \(id VARCHAR COLLATE "nocase"\), .* by \(id VARCHAR\)/,
  },
]

const NUMBERS = 'WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 24)'

const update = () => backfill({ name: 'fill', table: 't', set: { value: 'value + 1' } }) as never

describeDatabases('a key whose order changed in mid-walk', (context) => {
  const begun = async ({ key, value }: Pick<Change, 'key' | 'value'>) => {
    const db = await context.fresh()
    await db.query(`CREATE TABLE t (id ${key} PRIMARY KEY, value INTEGER NOT NULL DEFAULT 0)`)
    await db.query(`INSERT INTO t (id) ${NUMBERS} SELECT ${value} FROM n`)
    const updater = await queued(db, update(), [4])
    for (let batch = 0; batch < 2; batch += 1) await updater.runNextBatch()
    return { db, updater }
  }

  const change = async (db: EitherDatabase, to: string) => {
    if (context.dialect === 'postgres') return void (await db.query(`ALTER TABLE t ALTER COLUMN id TYPE ${to}`))
    await db.query(`CREATE TABLE new_t (id ${to} PRIMARY KEY, value INTEGER NOT NULL DEFAULT 0)`)
    await db.query('INSERT INTO new_t SELECT id, value FROM t')
    await db.query('DROP TABLE t')
    await db.query('ALTER TABLE new_t RENAME TO t')
  }

  const done = async (db: EitherDatabase) => (await db.query('SELECT id FROM t WHERE value > 0')).rows.length

  const changes = context.dialect === 'postgres' ? POSTGRES : SQLITE

  it.each(changes)('refuses the position in another process: $key, then $to', async ({ message, to, ...table }) => {
    const { db, updater } = await begun(table)
    await updater.stop()
    await change(db, to)
    const next = updaterOf(db.another(), update(), [4])
    await expect(next.runToCompletion()).rejects.toThrow(message)
    await expect(next.runToCompletion()).rejects.toThrow(/enqueue it again.*`over\.order` of its progress_json/)
    expect(await done(db)).toBe(8)
    await next.cancel('fill')
    await next.enqueue('fill')
    await next.runToCompletion()
    expect(await done(db)).toBe(24)
  })

  it('notices it in the process that walks, although every statement still runs', async () => {
    const [key, to] = context.dialect === 'postgres' ? ['int', 'numeric USING -id'] : ['INT NOT NULL', 'TEXT NOT NULL']
    const { db, updater } = await begun({ key, value: 'i' })
    await change(db, to)
    await expect(updater.runToCompletion()).rejects.toThrow(/is now to walk over/)
    expect(await done(db)).toBe(8)
  })

  it('notices it when nothing is left behind the position', async () => {
    const [key, to] = context.dialect === 'postgres' ? ['int', 'numeric USING -id'] : ['INT NOT NULL', 'TEXT NOT NULL']
    const { db, updater } = await begun({ key, value: 'i' })
    await change(db, to)
    await db.query(context.dialect === 'postgres' ? 'DELETE FROM t WHERE id > -9' : "DELETE FROM t WHERE id > '8'")
    await expect(updater.runToCompletion()).rejects.toThrow(/is now to walk over/)
  })

  it('goes on when something else of the table has changed', async () => {
    const { db, updater } = await begun({ key: context.dialect === 'postgres' ? 'int' : 'INT NOT NULL', value: 'i' })
    await db.query('ALTER TABLE t ADD COLUMN more INTEGER')
    await updater.runToCompletion()
    expect((await updater.history())[0]).toMatchObject({ outcome: 'completed', failures: 0 })
    expect(await done(db)).toBe(24)
  })

  it('goes on from a position that was saved before the order was', async () => {
    const { db, updater } = await begun({ key: context.dialect === 'postgres' ? 'int' : 'INT NOT NULL', value: 'i' })
    const { rows } = await db.query<{ progress_json: string }>('SELECT progress_json FROM background_updates')
    const progress = JSON.parse(String(rows[0]?.progress_json)) as { over: { order?: unknown } }
    expect(progress.over.order).toHaveLength(1)
    delete progress.over.order
    await db.query('UPDATE background_updates SET progress_json = $1', [JSON.stringify(progress)])
    await updater.runToCompletion()
    expect(await done(db)).toBe(24)
    expect((await updater.history())[0]).toMatchObject({
      progress: { walked: 24, over: { order: [expect.stringMatching(/^int/i) as unknown] } },
    })
  })
})
