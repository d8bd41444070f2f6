import type { Dialect, Query } from '../database.js'

/** What reading the catalogue takes: statements on some connection. */
export interface CatalogueReader {
  readonly query: Query
  readonly dialect: Dialect
}

export interface TableColumn {
  readonly name: string
  /** PostgreSQL: as `format_type` writes it, so it can be used in a cast; SQLite: as declared, '' without a type. */
  readonly type: string
  /** PostgreSQL: the type below all domains without length or precision, so a cast to it changes no value; SQLite: ''. */
  readonly castType: string
  /** PostgreSQL: the catalogue's name of the base type without modifier, as `timestamptz`; SQLite: as declared. */
  readonly typeName: string
  /** What its values are ordered as, the same under any search path: the type below all domains, without length. */
  readonly orderType: string
  /** The collation that its values are ordered by, as SQL; null for the default one, or none. */
  readonly collation: string | null
  /** PostgreSQL: the oids of its type and collation; SQLite: ''. */
  readonly orderIds: string
  /** No row can hold a NULL in it. */
  readonly notNull: boolean
  readonly generated: 'stored' | 'virtual' | null
  readonly identity: 'always' | 'by default' | null
}

/** A unique key that holds for every row at any moment: not partial, not on expressions, valid, not deferrable. */
export interface UniqueKey {
  /** The index's name; null where the rowid itself is the key (SQLite). */
  readonly index: string | null
  readonly primary: boolean
  /** In the order of the index. */
  readonly columns: readonly string[]
  /** For each column the collation to compare with so that the index's order is used, as SQL; null is the column's own. */
  readonly collations: readonly (string | null)[]
  /** No column of it can be NULL, so it tells every row apart. */
  readonly notNull: boolean
  /** The index keeps the order of `<`, so a walk along it needs no sort. */
  readonly ordered: boolean
}

export type TableKind =
  'table' | 'partitioned table' | 'view' | 'materialized view' | 'foreign table' | 'virtual table' | 'other'

/** A table as the catalogue knows it. */
export interface TableDescription {
  readonly dialect: Dialect
  readonly schema: string
  readonly name: string
  readonly kind: TableKind
  /** PostgreSQL: other tables inherit from it (not partitions), and no unique key spans them. */
  readonly inherited: boolean
  /** PostgreSQL: the role that reads this, when row-level security may hide rows from it; null when it sees all. */
  readonly hidingFrom: string | null
  /** SQLite: WITHOUT ROWID. */
  readonly withoutRowid: boolean
  /** SQLite: STRICT, where ANY takes a value as it is; elsewhere ANY makes a number of text that looks like one. */
  readonly strict: boolean
  /** SQLite: the statement that made it, as it is now; PostgreSQL: ''. */
  readonly sql: string
  readonly columns: readonly TableColumn[]
  readonly primaryKey: UniqueKey | null
  /** All usable ones, the primary key first. */
  readonly uniqueKeys: readonly UniqueKey[]
  /** From the statistics, never counted; null when the table was never analysed. */
  readonly estimatedRows: number | null
}

/** What something is that isn't a table, for a message: `a view`. */
export function kindWords({ kind, dialect }: Pick<TableDescription, 'kind' | 'dialect'>): string {
  if (kind !== 'other') return `a ${kind}`
  return dialect === 'sqlite' ? 'a table that a virtual table keeps for itself' : 'no table'
}
