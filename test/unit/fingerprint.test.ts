import fc from 'fast-check'
import {
  backfill,
  createIndex,
  defineUpdate,
  deleteRows,
  emaTuner,
  rowBackfill,
  validateConstraintAndRepair,
} from 'evenkeel'
import { check } from 'evenkeel'
import { describe, expect, it } from 'vitest'
import { fingerprintOf } from '../../src/updates/fingerprint.js'

const BASE = { name: 'a', table: 't', set: { x: '1', y: '2' } }
const fingerprint = (options: object) => backfill({ ...BASE, ...options }).fingerprint

describe('the fingerprint of a definition', () => {
  it.each([
    ['another table', { table: 'u' }],
    ['a table of another schema', { table: { schema: 's', name: 't' } }],
    ['another key', { key: 'id' }],
    ['another expression', { set: { x: '1', y: '3' } }],
    ['a column more', { set: { x: '1', y: '2', z: '2' } }],
    ['a condition', { where: 'x IS NULL' }],
    ['another end', { follow: true }],
    ['a verification', { verify: 'x IS NULL' }],
  ])('changes with %s', (_, options) => {
    expect(fingerprint(options)).not.toBe(fingerprint({}))
  })

  it.each([
    ['its name', { name: 'b' }],
    ['its order', { ordering: 5, dependsOn: ['c'] }],
    ['batch sizes', { defaultBatchSize: 5, minBatchSize: 2, maxBatchSize: 9 }],
    ['the target', { targetMs: 7, tuner: emaTuner(), deadline: 3 }],
    [
      'time-outs',
      { statementTimeoutMs: 1, lockTimeoutMs: 1, idleInTransactionTimeoutMs: 1, asynchronousCommit: false },
    ],
    ['patience', { maxAttempts: 9 }],
    ['the database it is for', { on: 'postgres' }],
    ['the order of its options', { set: { y: '2', x: '1' } }],
    ['an option that is undefined', { where: undefined }],
  ])('is the same with another %s', (_, options) => {
    expect(fingerprint(options)).toBe(fingerprint({}))
  })

  it('is the same with another limit', () => {
    const purge = (maxDeletes: number) => deleteRows({ name: 'a', table: 't', where: 'x', maxDeletes }).fingerprint
    expect(purge(1)).toBe(purge(2))
    const repair = (maxViolations: number | 'unlimited') =>
      validateConstraintAndRepair({
        name: 'a',
        table: 't',
        constraintName: 'c',
        constraint: check('x > 0'),
        onViolation: 'delete',
        maxViolations,
      }).fingerprint
    expect(repair(1)).toBe(repair('unlimited'))
  })

  it('tells kinds apart', () => {
    const all = [
      backfill({ name: 'a', table: 't', set: { x: '1' } }),
      rowBackfill({ name: 'a', table: 't', columns: ['x'], map: () => ({}) }),
      deleteRows({ name: 'a', table: 't', where: 'x', maxDeletes: 1 }),
      createIndex({ name: 'a', table: 't', index: 'i', columns: ['x'] }),
      defineUpdate({ name: 'a', batch: async () => ({ items: 0 }) }),
    ].map((update) => update.fingerprint)
    expect(new Set(all).size).toBe(all.length)
    for (const each of all) expect(each).toMatch(/^[0-9a-f]{16}$/)
  })

  it('has the source text of functions in it, or the version instead', () => {
    const one = async () => ({ items: 0, done: true })
    const other = async () => ({ items: 1, done: true })
    const of = (batch: typeof one, version?: string | number) =>
      defineUpdate({ name: 'a', batch, ...(version === undefined ? {} : { version }) }).fingerprint
    expect(of(one)).toBe(of(one))
    expect(of(one)).not.toBe(of(other))
    expect(of(one, 1)).toBe(of(other, 1))
    expect(of(one, 1)).not.toBe(of(one, 2))
    expect(of(one, 1)).not.toBe(of(one))
  })

  it.each([[''], [NaN], [null], [{}]])('refuses the version %j', (version) => {
    expect(() => backfill({ ...BASE, version } as never)).toThrow(/version must be/)
  })

  it('takes any options, cycles included, and doesn’t depend on their order', () => {
    const cycle: Record<string, unknown> = { a: 1 }
    cycle['self'] = cycle
    expect(fingerprintOf('x', cycle, undefined)).toMatch(/^[0-9a-f]{16}$/)
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.anything({ withBigInt: true, withDate: true, withMap: true })),
        (options) => {
          const turned = Object.fromEntries(Object.entries(options).reverse())
          expect(fingerprintOf('x', turned, undefined)).toBe(fingerprintOf('x', options, undefined))
        },
      ),
    )
  })
})
