import { describe, expect, it } from 'vitest'
import { capabilitiesOf, productCapabilities, productOf } from '../../src/databases/server-product.js'
import { dropIndexSql } from '../../src/updates/create-index/build-concurrently.js'
import { createIndexSql } from '../../src/updates/create-index/create-index-sql.js'
import { indexRequest } from '../../src/updates/create-index/options.js'

const COCKROACH = 'CockroachDB CCL v24.3.5 (x86_64-pc-linux-gnu, built 2025/02/03 17:28:15, go1.22.8)'
const YUGABYTE = 'PostgreSQL 15.2-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 17.0.6, 64-bit'
const POSTGRES = 'PostgreSQL 17.10 (Debian 17.10-1.pgdg13+1) on x86_64-pc-linux-gnu, compiled by gcc, 64-bit'

describe('the product behind the protocol', () => {
  it.each([
    [COCKROACH, false, 'cockroachdb'],
    [YUGABYTE, false, 'yugabytedb'],
    ['PostgreSQL 11.2-YB-2.20.1.0-b0 on x86_64-pc-linux-gnu', false, 'yugabytedb'],
    [POSTGRES, false, 'postgresql'],
    [POSTGRES, true, 'citus'],
    ['', false, 'postgresql'],
  ] as const)('of %s (citus: %s) is %s', (version, citus, product) => {
    expect(productOf(version, citus)).toBe(product)
  })

  it('is asked for in one statement', async () => {
    const asked: string[] = []
    const able = await productCapabilities(async (text) => {
      asked.push(text)
      return { rows: [{ version: YUGABYTE, citus: false }] as never[], rowCount: 1 }
    })
    expect(asked).toHaveLength(1)
    expect(able).toEqual({ dropsConcurrently: false, showsBuilds: false })
  })

  it.each([
    ['postgresql', 'DROP INDEX CONCURRENTLY IF EXISTS "public"."i"'],
    ['citus', 'DROP INDEX CONCURRENTLY IF EXISTS "public"."i"'],
    ['cockroachdb', 'DROP INDEX CONCURRENTLY IF EXISTS "public"."i"'],
    ['yugabytedb', 'DROP INDEX IF EXISTS "public"."i"'],
  ] as const)('%s drops an index by %s', (product, sql) => {
    expect(dropIndexSql({ schema: 'public', name: 'i' }, capabilitiesOf(product))).toBe(sql)
  })

  it('builds an index by the same words everywhere', () => {
    const request = indexRequest({ name: 'u', index: 'i', table: 't', columns: ['a'] })
    expect(createIndexSql(request, { dialect: 'postgres', index: '"i"', table: '"t"', concurrently: true })).toMatch(
      /^CREATE INDEX CONCURRENTLY "i" ON "t" /,
    )
  })
})
