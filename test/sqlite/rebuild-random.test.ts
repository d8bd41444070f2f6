import fc from 'fast-check'
import Sqlite from 'better-sqlite3'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { expect, it } from 'vitest'
import { check, foreignKey, notNull, unique, type Constraint } from '../../src/updates/constraints/constraint.js'
import { addConstraintBySqliteRebuild } from '../../src/updates/constraints/sqlite-rebuild/add-constraint.js'
import { foldName } from '../../src/updates/constraints/sqlite-rebuild/tokens.js'
import { dataOf, dependentsOf } from './rebuild-fixture.js'

// Everything that could make a text that was only searched for words and commas go wrong.
const name = fc.oneof(
  fc.constantFrom(
    'select',
    'Group by',
    'CHECK',
    'constraint',
    'not null',
    'true',
    'rowid',
    'näme',
    '表',
    'a"b',
    'c`d',
    "e'f",
    '--',
    '/*',
    '1',
  ),
  fc
    .string({ minLength: 1, maxLength: 8 })
    .filter((text) => !text.includes('\0') && !foldName(text).startsWith('sqlite_')),
)

const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`

const quoted = (text: string): fc.Arbitrary<string> =>
  fc.constantFrom(
    quote(text),
    `\`${text.replaceAll('`', '``')}\``,
    ...(text.includes(']') ? [] : [`[${text}]`]),
    ...(/^[a-z_][a-z0-9_]*$/i.test(text) && text.startsWith('zz') ? [text] : []),
  )

const blank = fc.constantFrom(' ', '\n', '\t', ' /* , ) ( */ ', ' -- ") , (\n', ' /* -- */ ', '\r\n  ')

const value = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ maxLength: 5 }).filter((text) => !text.includes('\0')),
  fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
)

const type = fc.constantFrom('', 'INT', 'INTEGER', 'TEXT', 'VARCHAR(10, 2)', 'REAL', 'BLOB', 'NUMERIC', '"odd, type"')

const columnConstraint = (column: string) =>
  fc.constantFrom(
    '',
    "DEFAULT ('a,b)(')",
    'DEFAULT -1.5e3',
    "DEFAULT x'2c29'",
    `CHECK (${column} IS NOT ',' AND (${column} IS NOT ')'))`,
    `CONSTRAINT "named, one" CHECK (length(${column}) IS NOT 99)`,
    'COLLATE NOCASE',
    'NULL',
    'REFERENCES parents DEFERRABLE INITIALLY DEFERRED',
  )

const layout = fc.uniqueArray(name, { minLength: 2, maxLength: 6, selector: foldName }).chain((names) =>
  fc.record({
    names: fc.constant(names),
    table: name.filter((text) => !['parents', 'seen', 'log', 'parent_view'].includes(foldName(text))),
    columns: fc.tuple(
      ...names.map((text) =>
        quoted(text).chain((column) =>
          fc
            .tuple(fc.constant(column), blank, type, blank, columnConstraint(column), blank)
            .map((parts) => parts.join('')),
        ),
      ),
    ),
    key: fc.constantFrom('none', 'integer', 'autoincrement', 'without rowid'),
    extra: fc.constantFrom('', 'check', 'unique', 'generated'),
    separator: blank,
    kind: fc.constantFrom('unique', 'check', 'foreign key', 'not null'),
    rows: fc.array(fc.array(value, { minLength: names.length, maxLength: names.length }), { maxLength: 6 }),
    rowids: fc.uniqueArray(fc.integer({ min: -50, max: 1000 }), { minLength: 6, maxLength: 6 }),
  }),
)

type Layout = typeof layout extends fc.Arbitrary<infer T> ? T : never

const KEYS = {
  none: [],
  integer: ['"the key" INTEGER PRIMARY KEY'],
  autoincrement: ['"the key" INTEGER PRIMARY KEY AUTOINCREMENT'],
  'without rowid': ['"the key" INT PRIMARY KEY'],
} as const

function createTable({ names, table, columns, key, extra, separator }: Layout): string {
  const first = quote(names[0] ?? '')
  const extras = {
    '': [],
    check: [`CONSTRAINT "a, (check" CHECK (${quote(table)}.${first} IS NOT 'never, )')`],
    unique: [`UNIQUE ("the unique") CHECK (1)`],
    generated: [],
  }[extra]
  const generated =
    extra === 'generated' ? [`gen${separator}AS (typeof(${first}) || ')')`, 'kept TEXT AS (hex(1)) STORED'] : []
  const more = extra === 'unique' ? ['"the unique"'] : []
  const items = [...KEYS[key], ...columns, ...more, ...generated, ...extras]
  return `CREATE TABLE${separator}${quote(table)}${separator}(${items.join(`,${separator}`)}${separator})${key === 'without rowid' ? ' WITHOUT ROWID' : ''}`
}

function constraintOf({ names, kind }: Layout): Constraint {
  const last = names.at(-1) ?? ''
  if (kind === 'unique') return unique([last, names[0] ?? ''])
  if (kind === 'check') return check(`${quote(last)} IS NOT 'forbidden, ('`)
  if (kind === 'not null') return notNull(last)
  return foreignKey({ columns: { [last]: 'id' }, references: 'parents' })
}

function load(database: Sqlite.Database, plan: Layout): void {
  const { names, table, key, rows, rowids } = plan
  const target = quote(table)
  database.pragma('foreign_keys = OFF')
  database.exec(`
    CREATE TABLE parents (id INTEGER PRIMARY KEY, child${key === 'none' ? '' : ` REFERENCES ${target} ("the key")`});
    CREATE TABLE seen (n);
    ${createTable(plan)};
    CREATE INDEX "index, (1)" ON ${target} (${quote(names[0] ?? '')} DESC) WHERE ${quote(names[1] ?? '')} IS NOT NULL;
    CREATE INDEX "index 2" ON ${target} (typeof(${quote(names[1] ?? '')}));
    CREATE TRIGGER "on it" AFTER INSERT ON ${target} BEGIN INSERT INTO seen SELECT count(*) FROM ${target}; END;
    CREATE TRIGGER "beside it" AFTER INSERT ON parents BEGIN INSERT INTO seen SELECT count(*) FROM ${target}; END;
    CREATE VIEW parent_view AS SELECT count(*) AS n, ${target}.${quote(names[0] ?? '')} AS first FROM ${target};
  `)
  const withKey = key !== 'none'
  const keyColumn = withKey ? '"the key"' : names.some((text) => foldName(text) === '_rowid_') ? null : '_rowid_'
  const columns = [...(keyColumn === null ? [] : [keyColumn]), ...names.map(quote)]
  const insert = database.prepare(
    `INSERT OR IGNORE INTO ${target} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  )
  for (const [at, row] of rows.entries())
    insert.run(
      ...(keyColumn === null ? [] : [rowids[at]]),
      ...row.map((cell, index) => (plan.columns[index]?.includes('REFERENCES') ? null : cell)),
    )
  database.exec('DELETE FROM seen')
}

function violators({ names, table, kind }: Layout): string | null {
  const [first, last] = [quote(names[0] ?? ''), quote(names.at(-1) ?? '')]
  if (kind === 'not null') return `DELETE FROM ${quote(table)} WHERE ${last} IS NULL`
  if (kind === 'foreign key') return `UPDATE ${quote(table)} SET ${last} = NULL`
  if (kind !== 'unique') return null
  return `DELETE FROM ${quote(table)} WHERE (${last}, ${first}) IN (
    SELECT ${last}, ${first} FROM ${quote(table)} GROUP BY 1, 2 HAVING count(*) > 1)`
}

it('a rebuild keeps everything of any table, and the constraint holds', async () => {
  let rebuilt = 0
  await fc.assert(
    fc.asyncProperty(layout, async (plan) => {
      const raw = new Sqlite(':memory:')
      try {
        try {
          load(raw, plan)
        } catch (error) {
          // Names or defaults that SQLite itself refuses make no table to rebuild.
          fc.pre(!(error instanceof Sqlite.SqliteError))
          throw error
        }
        const clean = violators(plan)
        if (clean !== null) raw.exec(clean)
        const { table } = plan
        const read = () => ({
          data: dataOf(raw, table),
          dependents: dependentsOf(raw),
          columns: raw.prepare('SELECT name, type, dflt_value, pk, hidden FROM pragma_table_xinfo(?)').all(table),
          options: raw.prepare('SELECT wr, strict FROM pragma_table_list WHERE name = ?').all(table),
          view: raw.prepare('SELECT n FROM parent_view').all(),
          seen: raw.prepare('SELECT * FROM seen').all(),
          marks:
            plan.key === 'autoincrement'
              ? raw.prepare('SELECT name, seq FROM sqlite_sequence WHERE seq > 0').safeIntegers().all()
              : [],
        })
        const before = read()
        raw.pragma('foreign_keys = ON')
        const constraint = constraintOf(plan)
        const request = {
          constraintName: 'added by, us',
          table,
          constraint,
          onViolation: 'report',
          method: 'rebuild',
        } as const
        await addConstraintBySqliteRebuild(fromBetterSqlite3(raw), request)
        expect(read()).toEqual(before)
        expect(raw.pragma('integrity_check', { simple: true })).toBe('ok')
        expect(raw.pragma('foreign_keys', { simple: true })).toBe(1)
        const sql = raw.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').pluck().get(table)
        await addConstraintBySqliteRebuild(fromBetterSqlite3(raw), request)
        expect(raw.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').pluck().get(table)).toBe(sql)
        expectEnforced(raw, plan)
        rebuilt += 1
      } finally {
        raw.close()
      }
    }),
    { numRuns: 200 },
  )
  expect(rebuilt).toBe(200)
})

function expectEnforced(raw: Sqlite.Database, { names, table, kind }: Layout): void {
  const last = names.at(-1) ?? ''
  if (kind === 'not null') {
    const column = raw.prepare('SELECT "notnull" FROM pragma_table_xinfo(?) WHERE name = ?').pluck()
    expect(column.get(table, last)).toBe(1)
  } else if (kind === 'foreign key') {
    const keys = raw.prepare('SELECT "table", "from", "to" FROM pragma_foreign_key_list(?)').raw().all(table)
    expect(keys).toContainEqual(['parents', last, 'id'])
  } else if (kind === 'unique') {
    const keys = raw.prepare("SELECT name FROM pragma_index_list(?) WHERE origin = 'u'").pluck().all(table) as string[]
    const columns = keys.map((key) => raw.prepare('SELECT name FROM pragma_index_info(?)').pluck().all(key))
    expect(columns).toContainEqual([last, names[0]])
  } else {
    expect(() => raw.exec(`INSERT INTO ${quote(table)} (${quote(last)}) VALUES ('forbidden, (')`)).toThrow(
      /constraint failed/,
    )
  }
}
