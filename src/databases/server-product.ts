import type { Query } from './database.js'

/** Who answers on the other side of the PostgreSQL protocol. */
export type ServerProduct = 'postgresql' | 'cockroachdb' | 'yugabytedb' | 'citus'

/** What the products document to be different. */
export interface ProductCapabilities {
  /** DROP INDEX CONCURRENTLY is understood. */
  readonly dropsConcurrently: boolean
  /** `pg_stat_progress_create_index` and `pg_locks` show who builds an index. */
  readonly showsBuilds: boolean
}

/** From `version()` and whether the extension `citus` is there. */
export function productOf(version: string, hasCitus: boolean): ServerProduct {
  if (version.startsWith('CockroachDB ')) return 'cockroachdb'
  if (/^PostgreSQL \S*-YB-/.test(version)) return 'yugabytedb'
  return hasCitus ? 'citus' : 'postgresql'
}

/** All of them take CREATE INDEX CONCURRENTLY: CockroachDB and YugabyteDB build every index online, with or without it. */
export function capabilitiesOf(product: ServerProduct): ProductCapabilities {
  return {
    dropsConcurrently: product !== 'yugabytedb',
    showsBuilds: product === 'postgresql' || product === 'citus',
  }
}

export async function productCapabilities(query: Query): Promise<ProductCapabilities> {
  const { rows } = await query<{ version: string; citus: boolean }>(`
    SELECT version() AS version,
      EXISTS (
        SELECT 1
        FROM pg_extension
        WHERE extname = 'citus'
      ) AS citus`)
  const [row] = rows
  return capabilitiesOf(productOf(row?.version ?? '', row?.citus === true))
}
