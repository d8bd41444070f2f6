import type { Query } from '../database.js'
import { quoteTable, type TableName } from '../identifier.js'
import type { TableColumn, TableDescription, TableKind, UniqueKey } from './table-description.js'

// As the planner does: what the last ANALYZE counted, grown as the file has grown since.
const ROWS_NOW = (relation: string) => `${relation}.reltuples * CASE
          WHEN ${relation}.relpages > 0
            THEN pg_relation_size(${relation}.oid) / current_setting('block_size')::float8 / ${relation}.relpages
          ELSE 1
        END`

// A partitioned table itself has no rows: what is known of its leaves is added up.
const TABLE = `
  SELECT c.oid::text AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    CASE WHEN c.relkind <> 'p' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid) THEN 1 ELSE 0 END AS inherited,
    CASE WHEN row_security_active(c.oid) THEN current_user::text END AS hiding_from,
    CASE
      WHEN c.relkind = 'p' THEN (
        SELECT sum(${ROWS_NOW('leaf')}) FILTER (WHERE leaf.reltuples >= 0)
        FROM pg_partition_tree(c.oid) AS tree
        JOIN pg_class AS leaf ON leaf.oid = tree.relid
        WHERE tree.isleaf
      )
      WHEN c.reltuples >= 0 THEN ${ROWS_NOW('c')}
    END::float8 AS rows
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.oid = to_regclass($1::text)`

// From version 18 on, attnotnull is also true for a NOT NULL that is still NOT VALID: old rows may hold NULL.
const PROVED_NOT_NULL = `(a.attnotnull AND NOT EXISTS (
      SELECT 1
      FROM pg_constraint AS unproved
      WHERE unproved.conrelid = a.attrelid
        AND unproved.contype = 'n'
        AND NOT unproved.convalidated
        AND a.attnum = ANY (unproved.conkey)
    ))`

const COLUMNS = `
  WITH RECURSIVE below AS (
    SELECT a.attnum, a.atttypid AS type_id
    FROM pg_attribute AS a
    WHERE a.attrelid = $1::text::oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT below.attnum, t.typbasetype
    FROM below
    JOIN pg_type AS t ON t.oid = below.type_id
    WHERE t.typtype = 'd'
  )
  SELECT a.attname::text AS name,
    format_type(a.atttypid, a.atttypmod) AS type,
    format_type(base.oid, -1) AS cast_type,
    base.typname::text AS type_name,
    CASE
      WHEN base_schema.nspname = 'pg_catalog' THEN base.typname::text
      ELSE quote_ident(base_schema.nspname) || '.' || quote_ident(base.typname)
    END AS order_type,
    CASE
      WHEN own.collname <> 'default' THEN quote_ident(own_schema.nspname) || '.' || quote_ident(own.collname)
    END AS collation,
    pg_catalog.concat(a.atttypid, ':', a.attcollation) AS order_ids,
    CASE WHEN ${PROVED_NOT_NULL} THEN 1 ELSE 0 END AS not_null,
    a.attgenerated::text AS generated,
    a.attidentity::text AS identity
  FROM pg_attribute AS a
  JOIN below ON below.attnum = a.attnum
  JOIN pg_type AS base ON base.oid = below.type_id AND base.typtype <> 'd'
  JOIN pg_namespace AS base_schema ON base_schema.oid = base.typnamespace
  LEFT JOIN pg_collation AS own ON own.oid = a.attcollation
  LEFT JOIN pg_namespace AS own_schema ON own_schema.oid = own.collnamespace
  WHERE a.attrelid = $1::text::oid
  ORDER BY a.attnum`

// Only a B-tree keeps an order; from version 18 on PRIMARY KEY (… WITHOUT OVERLAPS) has a GiST index.
// indimmediate is false for a deferrable constraint: inside a transaction it may hold duplicates.
const UNIQUE_KEYS = `
  SELECT index_class.relname::text AS index,
    CASE WHEN i.indisprimary THEN 1 ELSE 0 END AS is_primary,
    json_agg(a.attname ORDER BY part.position)::text AS columns,
    json_agg(
      CASE WHEN part.collation_id <> a.attcollation
        THEN quote_ident(collation_schema.nspname) || '.' || quote_ident(other.collname) END
      ORDER BY part.position
    )::text AS collations,
    CASE WHEN bool_and(${PROVED_NOT_NULL}) THEN 1 ELSE 0 END AS not_null,
    CASE WHEN bool_and(operators.opcdefault) AND access.amname = 'btree' THEN 1 ELSE 0 END AS ordered
  FROM pg_index AS i
  JOIN pg_class AS index_class ON index_class.oid = i.indexrelid
  JOIN pg_am AS access ON access.oid = index_class.relam
  CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indcollation::oid[], i.indclass::oid[])
    WITH ORDINALITY AS part (attribute, collation_id, operators_id, position)
  JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = part.attribute
  JOIN pg_opclass AS operators ON operators.oid = part.operators_id
  LEFT JOIN pg_collation AS other ON other.oid = part.collation_id
  LEFT JOIN pg_namespace AS collation_schema ON collation_schema.oid = other.collnamespace
  WHERE i.indrelid = $1::text::oid
    AND i.indisunique
    AND i.indisvalid
    AND i.indisready
    AND i.indimmediate
    AND i.indpred IS NULL
    AND i.indexprs IS NULL
    AND part.position <= i.indnkeyatts
  GROUP BY i.indexrelid, i.indisprimary, index_class.relname, access.amname
  ORDER BY i.indisprimary DESC, index_class.relname`

const TABLE_NAMES = `
  SELECT c.relname::text AS name
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND CASE WHEN $1::text IS NULL THEN n.nspname = ANY (current_schemas(false)) ELSE n.nspname = $1::text END
  ORDER BY c.relname
  LIMIT 5000`

const KINDS: Readonly<Record<string, TableKind>> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
}

export async function describePostgresTable(query: Query, table: TableName): Promise<TableDescription | null> {
  const [found] = (await query<TableRow>(TABLE, [quoteTable(table, 'postgres')])).rows
  if (!found) return null
  const columns = (await query<ColumnRow>(COLUMNS, [found.oid])).rows
  const uniqueKeys = (await query<UniqueKeyRow>(UNIQUE_KEYS, [found.oid])).rows.map(toUniqueKey)
  return {
    dialect: 'postgres',
    schema: found.schema,
    name: found.name,
    kind: KINDS[found.kind] ?? 'other',
    inherited: found.inherited === 1,
    hidingFrom: found.hiding_from,
    withoutRowid: false,
    strict: false,
    sql: '',
    columns: columns.map(toColumn),
    primaryKey: uniqueKeys.find((key) => key.primary) ?? null,
    uniqueKeys,
    estimatedRows: found.rows === null ? null : Math.round(found.rows),
  }
}

/** Names of tables in the schema that is searched, for a suggestion. */
export async function postgresTableNames(query: Query, table: TableName): Promise<string[]> {
  const schema = typeof table === 'string' ? null : (table.schema ?? null)
  return (await query<{ name: string }>(TABLE_NAMES, [schema])).rows.map((row) => row.name)
}

interface TableRow {
  oid: string
  schema: string
  name: string
  kind: string
  inherited: number
  hiding_from: string | null
  rows: number | null
}

interface ColumnRow {
  name: string
  type: string
  cast_type: string
  type_name: string
  order_type: string
  collation: string | null
  order_ids: string
  not_null: number
  generated: string
  identity: string
}

interface UniqueKeyRow {
  index: string
  is_primary: number
  columns: string
  collations: string
  not_null: number
  ordered: number
}

function toColumn(row: ColumnRow): TableColumn {
  return {
    name: row.name,
    type: row.type,
    castType: row.cast_type,
    typeName: row.type_name,
    orderType: row.order_type,
    collation: row.collation,
    orderIds: row.order_ids,
    notNull: row.not_null === 1,
    generated: row.generated === 's' ? 'stored' : row.generated === 'v' ? 'virtual' : null,
    identity: row.identity === 'a' ? 'always' : row.identity === 'd' ? 'by default' : null,
  }
}

function toUniqueKey(row: UniqueKeyRow): UniqueKey {
  return {
    index: row.index,
    primary: row.is_primary === 1,
    columns: JSON.parse(row.columns) as string[],
    collations: JSON.parse(row.collations) as (string | null)[],
    notNull: row.not_null === 1,
    ordered: row.ordered === 1,
  }
}
