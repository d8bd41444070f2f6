import type { Query } from '../database.js'

/** What has the name of an index in the schema of its table; mostly an index. */
export interface PostgresIndex {
  readonly oid: string
  readonly schema: string
  readonly name: string
  /** False for a table, view, sequence or other relation; what follows says nothing then. */
  readonly isIndex: boolean
  /** An index of a partitioned table, which has no entries of its own. */
  readonly partitioned: boolean
  readonly tableOid: string
  /** The table as the search path lets it be written. */
  readonly table: string
  /** Used by queries and kept up to date. A partitioned one: valid in every partition. */
  readonly valid: boolean
  /** Some transaction is changing its state right now. */
  readonly changing: boolean
  /** The CREATE INDEX statement that would make it. */
  readonly definition: string
  /** The index of the parent table that it is attached to, or null. */
  readonly parentOid: string | null
}

/** What a table's row of pg_class says of it. */
export interface PostgresRelation {
  readonly oid: string
  readonly schema: string
  readonly name: string
  /** `relkind`: `r` table, `p` partitioned, `m` materialized view, `f` foreign. */
  readonly kind: string
}

/** A partition of a table, with the index on it that is attached to a given index of the table. */
export interface PostgresPartition extends PostgresRelation {
  readonly attached: { readonly schema: string; readonly name: string; readonly valid: boolean } | null
}

const RELATION = `
  SELECT c.oid::text AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.oid = to_regclass($1::text)`

// The state of an index changes by an update of its row in pg_index: a running transaction in xmax is about to do so.
const INDEX_COLUMNS = `
  SELECT c.oid::text AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    CASE WHEN i.indexrelid IS NULL THEN 0 ELSE 1 END AS is_index,
    CASE WHEN c.relkind = 'I' THEN 1 ELSE 0 END AS partitioned,
    i.indrelid::text AS table_oid,
    i.indrelid::regclass::text AS table_name,
    CASE WHEN i.indisvalid AND i.indisready AND i.indislive THEN 1 ELSE 0 END AS valid,
    CASE
      WHEN EXISTS (
        SELECT FROM pg_locks AS l
        WHERE l.locktype = 'transactionid' AND l.transactionid = i.xmax AND l.granted AND l.pid <> pg_backend_pid()
      ) THEN 1
      ELSE 0
    END AS changing,
    pg_get_indexdef(i.indexrelid) AS definition,
    h.inhparent::text AS parent_oid
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
  LEFT JOIN pg_inherits AS h ON h.inhrelid = i.indexrelid`

const INDEX_BY_NAME = `${INDEX_COLUMNS}
  WHERE n.nspname = $1 AND c.relname = $2`

const INDEXES_OF_TABLE = `${INDEX_COLUMNS}
  WHERE i.indrelid = $1::text::oid
  ORDER BY c.relname`

// What PostgreSQL itself made of a definition: names instead of column numbers, operator classes and collations resolved,
// expressions parsed. Two indexes of tables with the same columns are of one definition when these are equal.
const SHAPE = `
  SELECT jsonb_build_object(
    'method', am.amname,
    'unique', i.indisunique,
    'nullsNotDistinct', coalesce(to_jsonb(i) ->> 'indnullsnotdistinct', 'false'),
    'immediate', i.indimmediate,
    'exclusion', i.indisexclusion,
    'keys', i.indnkeyatts,
    'columns', (
      SELECT jsonb_agg(pg_get_indexdef(i.indexrelid, n, false) ORDER BY n)
      FROM generate_series(1, i.indnatts) AS n
    ),
    'operatorClasses', i.indclass::text,
    'operatorClassOptions', (
      SELECT jsonb_agg(a.attoptions ORDER BY a.attnum)
      FROM pg_attribute AS a
      WHERE a.attrelid = i.indexrelid
    ),
    'collations', i.indcollation::text,
    'order', i.indoption::text,
    'predicate', pg_get_expr(i.indpred, i.indrelid)
  )::text AS shape
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_am AS am ON am.oid = c.relam
  WHERE i.indexrelid = to_regclass($1::text)`

// Why DROP INDEX would fail or do harm. A foreign key needs the unique index that its parent columns are looked up in.
const USES = `
  SELECT (
      SELECT conname::text
      FROM pg_constraint
      WHERE conindid = i.indexrelid AND contype IN ('p', 'u', 'x')
      LIMIT 1
    ) AS constraint_name,
    (
      SELECT conname::text
      FROM pg_constraint
      WHERE conindid = i.indexrelid AND contype = 'f'
      LIMIT 1
    ) AS foreign_key,
    CASE WHEN i.indisreplident THEN 1 ELSE 0 END AS replica_identity
  FROM pg_index AS i
  WHERE i.indexrelid = $1::text::oid`

const PARTITIONS = `
  SELECT c.oid::text AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    attached.schema AS attached_schema,
    attached.name AS attached_name,
    attached.valid AS attached_valid
  FROM pg_inherits AS h
  JOIN pg_class AS c ON c.oid = h.inhrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
    SELECT index_schema.nspname::text AS schema,
      index_class.relname::text AS name,
      CASE WHEN i.indisvalid AND i.indisready AND i.indislive THEN 1 ELSE 0 END AS valid
    FROM pg_inherits AS index_h
    JOIN pg_index AS i ON i.indexrelid = index_h.inhrelid
    JOIN pg_class AS index_class ON index_class.oid = i.indexrelid
    JOIN pg_namespace AS index_schema ON index_schema.oid = index_class.relnamespace
    WHERE index_h.inhparent = $2::text::oid AND i.indrelid = c.oid
    LIMIT 1
  ) AS attached ON TRUE
  WHERE h.inhparent = $1::text::oid AND NOT h.inhdetachpending
  ORDER BY n.nspname, c.relname`

const FOREIGN_PARTITIONS = `
  SELECT tree.relid::text AS name
  FROM pg_partition_tree($1::text::oid) AS tree
  JOIN pg_class AS c ON c.oid = tree.relid
  WHERE c.relkind = 'f'
  ORDER BY tree.relid::text`

/** The relation of this quoted name, or null. */
export async function findPostgresRelation(query: Query, quotedName: string): Promise<PostgresRelation | null> {
  return (await query<PostgresRelation>(RELATION, [quotedName])).rows[0] ?? null
}

/** What has this name in this schema, or null. */
export async function findPostgresIndex(query: Query, schema: string, name: string): Promise<PostgresIndex | null> {
  const [row] = (await query<IndexRow>(INDEX_BY_NAME, [schema, name])).rows
  return row === undefined ? null : toIndex(row)
}

export async function postgresIndexesOf(query: Query, tableOid: string): Promise<PostgresIndex[]> {
  return (await query<IndexRow>(INDEXES_OF_TABLE, [tableOid])).rows.map(toIndex)
}

/** A text that is equal for indexes of the same definition, or null when there is no such index. */
export async function postgresIndexShape(query: Query, quotedName: string): Promise<string | null> {
  return (await query<{ shape: string }>(SHAPE, [quotedName])).rows[0]?.shape ?? null
}

/** What else the index is used for, as a reason not to drop it; null when only for queries. */
export async function postgresIndexUse(query: Query, index: PostgresIndex): Promise<string | null> {
  const [use] = (await query<UseRow>(USES, [index.oid])).rows
  if (use === undefined) return null
  if (use.constraint_name !== null) return `it backs the constraint "${use.constraint_name}"`
  if (use.foreign_key !== null) return `the foreign key "${use.foreign_key}" refers to it`
  if (use.replica_identity === 1) return 'it is the replica identity of its table'
  if (index.parentOid !== null) return 'it is a part of the index of the partitioned table'
  return null
}

/** The direct partitions of a table, each with its index that is attached to the table's index `indexOid`. */
export async function postgresPartitions(
  query: Query,
  tableOid: string,
  indexOid: string,
): Promise<PostgresPartition[]> {
  const { rows } = await query<PartitionRow>(PARTITIONS, [tableOid, indexOid])
  return rows.map(({ oid, schema, name, kind, attached_schema, attached_name, attached_valid }) => ({
    oid,
    schema,
    name,
    kind,
    attached:
      attached_schema === null || attached_name === null
        ? null
        : { schema: attached_schema, name: attached_name, valid: attached_valid === 1 },
  }))
}

/** The foreign tables anywhere below a partitioned table. */
export async function postgresForeignPartitions(query: Query, tableOid: string): Promise<string[]> {
  return (await query<{ name: string }>(FOREIGN_PARTITIONS, [tableOid])).rows.map((row) => row.name)
}

interface IndexRow {
  oid: string
  schema: string
  name: string
  is_index: number
  partitioned: number
  table_oid: string | null
  table_name: string | null
  valid: number
  changing: number
  definition: string | null
  parent_oid: string | null
}

interface UseRow {
  constraint_name: string | null
  foreign_key: string | null
  replica_identity: number
}

interface PartitionRow extends PostgresRelation {
  attached_schema: string | null
  attached_name: string | null
  attached_valid: number | null
}

function toIndex(row: IndexRow): PostgresIndex {
  return {
    oid: row.oid,
    schema: row.schema,
    name: row.name,
    isIndex: row.is_index === 1,
    partitioned: row.partitioned === 1,
    tableOid: row.table_oid ?? '',
    table: row.table_name ?? '',
    valid: row.valid === 1,
    changing: row.changing === 1,
    definition: row.definition ?? '',
    parentOid: row.parent_oid,
  }
}
