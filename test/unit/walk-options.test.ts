import { ConfigurationError } from 'evenkeel'
import { expect, it } from 'vitest'
import { backfill } from '../../src/updates/backfill.js'
import { deleteRows } from '../../src/updates/delete-rows.js'
import { rowBackfill } from '../../src/updates/row-backfill.js'

function problemsOf(define: () => unknown): readonly string[] {
  try {
    define()
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
  return []
}

it('tells every wrong option of a backfill at once', () => {
  expect(
    problemsOf(() =>
      backfill({ name: 'a', tabl: 't', set: {}, run: 5, where: '', maxVerifyPasses: 0, follow: 1 } as never),
    ),
  ).toEqual([
    'unknown option "tabl"; did you mean "table"?',
    'table must be a name or { schema, name }, not undefined',
    'where must be SQL as a string, not ""',
    'set and run exclude each other',
    'set must name at least one column',
    'run must be a function, not 5',
    'follow must be true or false, not 1',
    'maxVerifyPasses needs verify',
    'maxVerifyPasses must be a whole number of at least 1, not 0',
  ])
  expect(problemsOf(() => backfill({ name: 'a', table: 't' }))).toEqual(['set or run is needed'])
  expect(
    problemsOf(() => backfill({ name: 'a', table: { nmae: 'x' }, key: ['a', 'a'], set: { x: 5 } } as never)),
  ).toEqual([
    'table: unknown option "nmae"; did you mean "name"?',
    "table.name undefined can't be a name: it is not a string",
    'key names "a" twice',
    'set.x must be SQL as a string, not 5',
  ])
  expect(problemsOf(() => backfill(undefined as never))).toEqual(['options must be an object'])
})

it('tells every wrong option of a row backfill', () => {
  expect(problemsOf(() => rowBackfill({ name: 'a', table: 't', columns: [], maxQuarantined: -1 }))).toEqual([
    'columns must name at least one column',
    'map or mapBatch is needed',
    'maxQuarantined must be a whole number of at least 0, not -1',
  ])
  expect(problemsOf(() => rowBackfill({ name: 'a', table: 't', columns: 'x', map: 1, mapBatch: 2 } as never))).toEqual([
    'columns must be an array of column names, not "x"',
    'map and mapBatch exclude each other',
    'map must be a function, not 1',
    'mapBatch must be a function, not 2',
  ])
})

it('tells every wrong option of deleteRows, which needs a condition', () => {
  expect(problemsOf(() => deleteRows({ name: 'a', table: '' } as never))).toEqual([
    `table "" can't be a name: it is empty`,
    'where must be SQL as a string, not undefined',
    expect.stringContaining('maxDeletes is needed, because rows are deleted for good'),
  ])
  expect(problemsOf(() => deleteRows({ name: 'a', table: 't', were: '1', keepIn: 5 } as never))).toEqual([
    'unknown option "were"; did you mean "where"?',
    'where must be SQL as a string, not undefined',
    'keepIn must be a name or { schema, name }, not 5',
  ])
})

it.each([[-1], [1.5], ['many'], [null], [true]])(
  'refuses %j as the most rows that deleteRows may delete',
  (maxDeletes) => {
    const options = { name: 'a', table: 't', where: '1 = 1', keepIn: 'kept', maxDeletes }
    expect(problemsOf(() => deleteRows(options as never))).toEqual([
      expect.stringContaining("maxDeletes must be a whole number of at least 0 or 'unlimited'"),
    ])
  },
)

it('lets rows that are kept go without a limit', () => {
  expect(problemsOf(() => deleteRows({ name: 'a', table: 't', where: '1 = 1', keepIn: 'kept' }))).toEqual([])
})

it('refuses a limit together with lanes, which know nothing of each other’s rows', () => {
  expect(problemsOf(() => deleteRows({ name: 'a', table: 't', where: '1 = 1', maxDeletes: 5, lanes: 2 }))).toEqual([
    "lanes needs maxDeletes: 'unlimited': only one walk can keep a limit",
  ])
})

// A NUL would end the statement early, and half a character would come to the database as another name.
it('refuses names that would not come to the database as they are', () => {
  expect(problemsOf(() => backfill({ name: 'a', table: 't\0', set: { 'x\ud800': '1' } }))).toEqual([
    String.raw`table "t\u0000" can't be a name: it contains a NUL character`,
    String.raw`set "x\ud800" can't be a name: it contains half a surrogate pair`,
  ])
})
