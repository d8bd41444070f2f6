import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../src/errors.js'
import { createIndexSql } from '../../src/updates/create-index/create-index-sql.js'
import { indexRequest } from '../../src/updates/create-index/options.js'
import { fractionOf } from '../../src/updates/create-index/postgres-progress.js'
import { createIndex, type CreateIndexOptions } from '../../src/updates/create-index.js'

const good: CreateIndexOptions = { name: 'u', index: 'i', table: 't', columns: ['a'] }

describe('createIndex options', () => {
  it('gives a one-shot update', () => {
    expect(createIndex({ ...good, dependsOn: 'x', ordering: 3 })).toMatchObject({
      name: 'u',
      kind: 'createIndex',
      oneShot: true,
      dependsOn: ['x'],
      ordering: 3,
      dialects: ['postgres', 'sqlite'],
    })
  })

  it.each([
    [{ colums: ['a'] }, 'unknown option "colums"; did you mean "columns"?'],
    [{ index: '' }, 'index must be a name, not "": it is empty'],
    [{ index: undefined }, 'index must be a name'],
    [{ table: { schema: 's', nam: 't' } }, 'table: unknown option "nam"; did you mean "name"?'],
    [{ table: 5 }, 'table must be a name, not 5'],
    [{ columns: [] }, 'columns must name at least one column'],
    [{ columns: 'a' }, 'columns must be an array of columns, not "a"'],
    [{ columns: [''] }, 'columns[0] must be a name'],
    [{ columns: [{ column: 'a', expression: 'b' }] }, 'columns[0] must have either column or expression'],
    [{ columns: ['a', {}] }, 'columns[1] must have either column or expression'],
    [{ columns: [{ expression: ' ' }] }, 'columns[0].expression must be SQL, not " "'],
    [{ columns: [{ column: 'a', order: 'DESC' }] }, `columns[0].order must be 'asc' or 'desc', not "DESC"`],
    [{ columns: [{ column: 'a', nulls: 'no' }] }, `columns[0].nulls must be 'first' or 'last', not "no"`],
    [{ columns: [{ column: 'a', opclas: 'x' }] }, 'columns[0]: unknown option "opclas"; did you mean "opclass"?'],
    [{ columns: [{ column: 'a', collate: { schema: 's' } }] }, 'columns[0].collate.name must be a name'],
    [{ unique: 1 }, 'unique must be true or false, not 1'],
    [{ where: '' }, 'where must be SQL, not ""'],
    [{ using: 4 }, 'using must be a name, not 4'],
    [{ include: 'a' }, 'include must be an array of column names, not "a"'],
    [{ include: [7] }, 'include[0] must be a name, not 7'],
    [{ nullsNotDistinct: true }, 'nullsNotDistinct needs unique: true'],
    [{ replaces: 'i' }, 'replaces names the index itself'],
    [{ analyze: 'yes' }, 'analyze must be true or false, not "yes"'],
    [{ on: 'mysql' }, `on must be 'postgres' or 'sqlite'`],
  ])('refuses %j', (options, problem) => {
    expect(() => createIndex({ ...good, ...options } as CreateIndexOptions)).toThrow(ConfigurationError)
    expect(() => createIndex({ ...good, ...options } as CreateIndexOptions)).toThrow(problem)
  })

  it('names all problems at once', () => {
    try {
      createIndex({ name: '', index: '', table: '', columns: [], where: '' })
      expect.unreachable()
    } catch (error) {
      expect((error as ConfigurationError).problems).toHaveLength(5)
    }
    expect(() => createIndex(null as never)).toThrow('options must be an object')
  })

  it('writes the statement', () => {
    const request = indexRequest({
      ...good,
      columns: [
        'a"b',
        { expression: 'lower(c)', order: 'desc', nulls: 'last', opclass: { schema: 's', name: 'o' }, collate: 'C' },
      ],
      unique: true,
      using: 'btree',
      include: ['d'],
      nullsNotDistinct: true,
      where: 'a > 1',
    })
    expect(createIndexSql(request, { dialect: 'postgres', index: '"i"', table: '"t"', concurrently: true })).toBe(
      'CREATE UNIQUE INDEX CONCURRENTLY "i" ON "t" USING "btree" ' +
        '("a""b", (lower(c)) COLLATE "C" "s"."o" DESC NULLS LAST) INCLUDE ("d") NULLS NOT DISTINCT WHERE (a > 1)',
    )
  })
})

describe('the fraction of an index build', () => {
  const at = (phase: string, done = 0, total = 0) =>
    fractionOf({ phase, blocks_done: done, blocks_total: total, tuples_done: 0, tuples_total: 0 })

  it('never falls from phase to phase, and is never 1', () => {
    const fractions = [
      at('initializing'),
      at('waiting for writers before build', 1, 1),
      at('building index: scanning table', 0, 10),
      at('building index: scanning table', 10, 10),
      at('building index: sorting live tuples'),
      at('building index: loading tuples in tree'),
      at('waiting for writers before validation'),
      at('index validation: scanning index', 5, 10),
      at('index validation: sorting tuples'),
      at('index validation: scanning table', 10, 10),
      at('waiting for old snapshots'),
      at('waiting for readers before dropping'),
    ]
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
    expect(fractions[0]).toBe(0)
    expect(Math.max(...fractions)).toBeLessThan(1)
  })

  it('knows phases of other access methods', () => {
    expect(at('building index', 5, 10)).toBe(0.35)
    expect(at('building index: something new', 5, 10)).toBe(0.35)
  })
})
