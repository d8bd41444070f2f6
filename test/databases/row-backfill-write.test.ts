import type { Database, Query } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeTable } from '../../src/databases/catalogue/table.js'
import type { EncodedKey } from '../../src/keyset/encoding.js'
import { planWalk } from '../../src/keyset/walk.js'
import { RowsNotWrittenError, rowBackfill } from '../../src/updates/row-backfill.js'
import { writeRows } from '../../src/updates/row-backfill/write-rows.js'
import { describeDatabases, type EitherDatabase } from '../support/databases.js'
import { queued, runAll } from '../support/walks.js'

async function execute(db: EitherDatabase, ...statements: readonly string[]): Promise<void> {
  for (const statement of statements) await db.query(statement)
}

const IDS = [1, 2, 3, 4, 5, 6, 7, 8]
const TABLE = [
  'CREATE TABLE t (key_1 INTEGER PRIMARY KEY, value_1 INTEGER)',
  `INSERT INTO t (key_1) VALUES ${IDS.map((id) => `(${id})`).join(', ')}`,
]

describeDatabases('what rowBackfill has written', (context) => {
  const key = (id: number): EncodedKey => (context.dialect === 'postgres' ? [String(id)] : [id])

  /** A trigger before the UPDATE of row 3 that does this and then refuses the row. */
  const refusing = (does: string) =>
    context.dialect === 'postgres'
      ? [
          `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${does}; RETURN NULL; END $$`,
          'CREATE TRIGGER refusing BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.key_1 = 3) EXECUTE FUNCTION refuse()',
        ]
      : [`CREATE TRIGGER refusing BEFORE UPDATE ON t WHEN OLD.key_1 = 3 BEGIN ${does}; SELECT RAISE(IGNORE); END`]

  async function write(db: EitherDatabase, ids: readonly number[], failed: unknown[] = []): Promise<number> {
    const database: Database<never> = db.database
    return database.transaction(async (tx) => {
      const query: Query = (text, values) => database.query(tx, text, values)
      const plan = planWalk(await describeTable({ query, dialect: context.dialect }, 't'))
      const rows = ids.map((id) => ({ key: key(id), columns: ['value_1'], change: { value_1: id } }))
      const selection = { plan, columns: ['key_1'], where: undefined, checkedLate: false, arrayNulls: true }
      return writeRows(query, 'rows', selection, rows, (failure) => failed.push(failure))
    })
  }

  it('fails where a key finds no row, for its change would be lost', async () => {
    const db = await context.fresh()
    await execute(db, ...TABLE)
    const failed: unknown[] = []
    const lost = write(db, [1, 2, 77, 78, 3], failed)
    await expect(lost).rejects.toThrow(RowsNotWrittenError)
    await expect(lost).rejects.toThrow(/"rows": 2 of 5 rows of table (public|main)\.t were not found by their key/)
    expect(failed).toEqual([])
    expect((await db.query('SELECT key_1 FROM t WHERE value_1 IS NOT NULL')).rows).toEqual([])
    expect(await write(db, [1, 2, 3])).toBe(3)
  })

  it.each(['DELETE FROM t WHERE key_1 = 99', 'DELETE FROM t WHERE key_1 = OLD.key_1'])(
    'leaves alone a row that a trigger refuses to write (%s)',
    async (does) => {
      const db = await context.fresh()
      await execute(db, ...TABLE, ...refusing(does))
      const update = rowBackfill<{ key_1: number }>({
        name: 'rows',
        table: 't',
        columns: ['key_1'],
        map: ({ key_1 }) => ({ value_1: key_1 }),
      })
      const updater = await queued(db, update, [8])
      await runAll(updater)
      const { rows } = await db.query<{ key_1: number }>('SELECT key_1 FROM t WHERE value_1 = key_1 ORDER BY key_1')
      expect(rows.map(({ key_1 }) => key_1)).toEqual(IDS.filter((id) => id !== 3))
      expect((await updater.history())[0]).toMatchObject({ items: 8, progress: { walked: 8, changed: 7 } })
    },
  )
})
