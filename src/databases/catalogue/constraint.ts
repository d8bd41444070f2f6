import type { Query } from '../database.js'

/** A constraint of PostgreSQL as pg_constraint has it. */
export interface PostgresConstraint {
  readonly oid: string
  readonly name: string
  readonly kind: 'foreign key' | 'check' | 'not null' | 'unique' | 'other'
  /** It holds for every row; false while it is NOT VALID. */
  readonly validated: boolean
  /** As `pg_get_constraintdef` writes it, without NOT VALID. */
  readonly definition: string
  /** The columns of its table that it is on, in its order. */
  readonly columns: readonly string[]
  /** The expression of a check, else null. */
  readonly expression: string | null
  readonly deferrable: 'initially immediate' | 'initially deferred' | null
  readonly foreignKey: PostgresForeignKey | null
}

export interface PostgresForeignKey {
  readonly parentOid: string
  readonly parentSchema: string
  readonly parentName: string
  /** The parent's columns, each at the place of the own column that refers to it. */
  readonly parentColumns: readonly string[]
  /** `a` no action, `r` restrict, `c` cascade, `n` set null, `d` set default. */
  readonly onDelete: string
  readonly onUpdate: string
  /** For each column what the key compares by. */
  readonly comparisons: readonly KeyComparison[]
  /** `s` simple, `f` full. */
  readonly match: string
}

/**
 * How a foreign key compares the parent's column, on the left, with the one that refers to it. SQL's own `=` may be
 * another: of char and text it compares as text, to which trailing blanks matter; the key as char, to which they don't.
 */
export interface KeyComparison {
  /** Behind the parent's column: a cast, a collation, or ''. */
  readonly parent: string
  /** `OPERATOR(pg_catalog.=)` */
  readonly operator: string
  /** Behind the column that refers to it: a cast, or ''. */
  readonly own: string
}

/** A foreign key of any table that refers to a given one. */
export interface ReferencingKey {
  readonly name: string
  readonly schema: string
  readonly table: string
  readonly columns: readonly string[]
  /** The columns referred to, each at the place of the column that refers to it. */
  readonly parentColumns: readonly string[]
  readonly comparisons: readonly KeyComparison[]
  /** As PostgresForeignKey.onDelete. */
  readonly onDelete: string
  readonly onUpdate: string
}

const COLUMNS_OF = (array: string, table: string) => `(
      SELECT json_agg(a.attname ORDER BY part.position)
      FROM unnest(${array}) WITH ORDINALITY AS part (attribute, position)
      JOIN pg_attribute AS a ON a.attrelid = ${table} AND a.attnum = part.attribute
    )::text`

// As PostgreSQL's own checks (ri_triggers.c): by the operator that is kept with the key, each side cast to its type, under
// the parent's collation.
const COMPARISONS = `(
      SELECT json_agg(
        json_build_object(
          'parent', concat(
            CASE WHEN left_type.typtype <> 'p' AND o.oprleft <> parent_column.atttypid THEN '::' || format_type(o.oprleft, -1) END,
            CASE WHEN parent_column.attcollation <> own_column.attcollation
              THEN ' COLLATE ' || quote_ident(collation_home.nspname) || '.' || quote_ident(coll.collname) END
          ),
          'operator', 'OPERATOR(' || quote_ident(home.nspname) || '.' || o.oprname || ')',
          'own', concat(
            CASE WHEN right_type.typtype <> 'p' AND o.oprright <> own_column.atttypid THEN '::' || format_type(o.oprright, -1) END
          )
        )
        ORDER BY part.position
      )
      FROM unnest(c.conkey, c.confkey, c.conpfeqop) WITH ORDINALITY AS part (own, parent, operator_id, position)
      JOIN pg_attribute AS own_column ON own_column.attrelid = c.conrelid AND own_column.attnum = part.own
      JOIN pg_attribute AS parent_column ON parent_column.attrelid = c.confrelid AND parent_column.attnum = part.parent
      JOIN pg_operator AS o ON o.oid = part.operator_id
      JOIN pg_namespace AS home ON home.oid = o.oprnamespace
      JOIN pg_type AS left_type ON left_type.oid = o.oprleft
      JOIN pg_type AS right_type ON right_type.oid = o.oprright
      LEFT JOIN pg_collation AS coll ON coll.oid = parent_column.attcollation
      LEFT JOIN pg_namespace AS collation_home ON collation_home.oid = coll.collnamespace
    )::text`

const CONSTRAINTS = `
  SELECT c.oid::text AS oid,
    c.conname::text AS name,
    c.contype::text AS type,
    CASE WHEN c.convalidated THEN 1 ELSE 0 END AS validated,
    pg_get_constraintdef(c.oid) AS definition,
    ${COLUMNS_OF('c.conkey', 'c.conrelid')} AS columns,
    pg_get_expr(c.conbin, c.conrelid) AS expression,
    CASE WHEN c.condeferrable THEN 1 ELSE 0 END AS deferrable,
    CASE WHEN c.condeferred THEN 1 ELSE 0 END AS deferred,
    c.confrelid::text AS parent_oid,
    parent_schema.nspname::text AS parent_schema,
    parent.relname::text AS parent_name,
    ${COLUMNS_OF('c.confkey', 'c.confrelid')} AS parent_columns,
    ${COMPARISONS} AS comparisons,
    c.confdeltype::text AS on_delete,
    c.confupdtype::text AS on_update,
    c.confmatchtype::text AS match
  FROM pg_constraint AS c
  LEFT JOIN pg_class AS parent ON parent.oid = c.confrelid
  LEFT JOIN pg_namespace AS parent_schema ON parent_schema.oid = parent.relnamespace`

const CONSTRAINT_BY_NAME = `${CONSTRAINTS}
  WHERE c.conrelid = $1::text::oid AND c.conname = $2`

// Only version 18 and later have them in pg_constraint.
const NOT_NULL_OF_COLUMN = `${CONSTRAINTS}
  WHERE c.conrelid = $1::text::oid
    AND c.contype = 'n'
    AND c.conkey = ARRAY[(SELECT attnum FROM pg_attribute WHERE attrelid = $1::text::oid AND attname = $2)]`

const COLUMN_IS_NOT_NULL = `
  SELECT CASE WHEN attnotnull THEN 1 ELSE 0 END AS not_null
  FROM pg_attribute
  WHERE attrelid = $1::text::oid AND attname = $2 AND attnum > 0 AND NOT attisdropped`

// A foreign key to a partitioned table has a row for each of its partitions too: only the one that was declared counts.
const REFERENCING = `
  SELECT c.conname::text AS name,
    n.nspname::text AS schema,
    child.relname::text AS table_name,
    ${COLUMNS_OF('c.conkey', 'c.conrelid')} AS columns,
    ${COLUMNS_OF('c.confkey', 'c.confrelid')} AS parent_columns,
    ${COMPARISONS} AS comparisons,
    c.confdeltype::text AS on_delete,
    c.confupdtype::text AS on_update
  FROM pg_constraint AS c
  JOIN pg_class AS child ON child.oid = c.conrelid
  JOIN pg_namespace AS n ON n.oid = child.relnamespace
  WHERE c.contype = 'f'
    AND c.conparentid = 0
    AND c.confrelid IN (
      SELECT $1::text::oid
      UNION
      SELECT relid FROM pg_partition_ancestors($1::text::oid::regclass)
      UNION
      SELECT relid FROM pg_partition_tree($1::text::oid::regclass)
    )
  ORDER BY n.nspname, child.relname, c.conname`

const SERVER_VERSION = `SELECT current_setting('server_version_num')::int AS version`

/** The constraint of this name on this table, or null. */
export async function findPostgresConstraint(
  query: Query,
  tableOid: string,
  name: string,
): Promise<PostgresConstraint | null> {
  const [row] = (await query<ConstraintRow>(CONSTRAINT_BY_NAME, [tableOid, name])).rows
  return row === undefined ? null : toConstraint(row)
}

/** The NOT NULL of a column as a constraint, valid or not; null where there is none, and before version 18. */
export async function findNotNullConstraint(
  query: Query,
  tableOid: string,
  column: string,
): Promise<PostgresConstraint | null> {
  const [row] = (await query<ConstraintRow>(NOT_NULL_OF_COLUMN, [tableOid, column])).rows
  return row === undefined ? null : toConstraint(row)
}

/** Whether no row can hold a NULL in the column. From version 18 on, `attnotnull` alone doesn't prove it. */
export async function isProvedNotNull(query: Query, tableOid: string, column: string): Promise<boolean> {
  const [row] = (await query<{ not_null: number }>(COLUMN_IS_NOT_NULL, [tableOid, column])).rows
  if (row?.not_null !== 1) return false
  return (await findNotNullConstraint(query, tableOid, column))?.validated ?? true
}

/** The foreign keys that refer to a table, its partitions or the tables that it is a partition of. */
export async function referencingKeys(query: Query, tableOid: string): Promise<ReferencingKey[]> {
  const { rows } = await query<ReferencingRow>(REFERENCING, [tableOid])
  return rows.map((row) => ({
    name: row.name,
    schema: row.schema,
    table: row.table_name,
    columns: names(row.columns),
    parentColumns: names(row.parent_columns),
    comparisons: comparisons(row.comparisons),
    onDelete: row.on_delete,
    onUpdate: row.on_update,
  }))
}

/** As 150004 for 15.4. */
export async function postgresVersion(query: Query): Promise<number> {
  return (await query<{ version: number }>(SERVER_VERSION)).rows[0]?.version ?? 0
}

interface ConstraintRow {
  oid: string
  name: string
  type: string
  validated: number
  definition: string
  columns: string | null
  expression: string | null
  deferrable: number
  deferred: number
  parent_oid: string
  parent_schema: string | null
  parent_name: string | null
  parent_columns: string | null
  comparisons: string | null
  on_delete: string
  on_update: string
  match: string
}

interface ReferencingRow {
  name: string
  schema: string
  table_name: string
  columns: string | null
  parent_columns: string | null
  comparisons: string | null
  on_delete: string
  on_update: string
}

const KINDS: Readonly<Record<string, PostgresConstraint['kind']>> = {
  f: 'foreign key',
  c: 'check',
  n: 'not null',
  u: 'unique',
}

function toConstraint(row: ConstraintRow): PostgresConstraint {
  const kind = KINDS[row.type] ?? 'other'
  return {
    oid: row.oid,
    name: row.name,
    kind,
    validated: row.validated === 1,
    definition: row.definition.replace(/ NOT VALID$/, ''),
    columns: names(row.columns),
    expression: row.expression,
    deferrable: row.deferrable === 0 ? null : row.deferred === 1 ? 'initially deferred' : 'initially immediate',
    foreignKey:
      kind === 'foreign key'
        ? {
            parentOid: row.parent_oid,
            parentSchema: row.parent_schema ?? '',
            parentName: row.parent_name ?? '',
            parentColumns: names(row.parent_columns),
            comparisons: comparisons(row.comparisons),
            onDelete: row.on_delete,
            onUpdate: row.on_update,
            match: row.match,
          }
        : null,
  }
}

function names(json: string | null): string[] {
  return json === null ? [] : (JSON.parse(json) as string[])
}

function comparisons(json: string | null): KeyComparison[] {
  return json === null ? [] : (JSON.parse(json) as KeyComparison[])
}
