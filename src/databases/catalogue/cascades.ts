import type { CatalogueReader, TableDescription } from './table-description.js'

/** A foreign key through which deleting rows of one table deletes or changes rows of another. */
export interface Cascade {
  readonly action: 'CASCADE' | 'SET NULL' | 'SET DEFAULT'
  /** The table that it refers to, whose rows are deleted. */
  readonly parent: string
}

type Place = Pick<TableDescription, 'schema' | 'name'>

// A foreign key to a partitioned table, or of one, has a row in pg_constraint for each partition too.
const ON_POSTGRES = `
  WITH RECURSIVE given AS (
    SELECT format('%I.%I', $1::text, $2::text)::regclass AS source, format('%I.%I', $3::text, $4::text)::regclass AS target
  ),
  going (relation) AS (
    SELECT part.relation
    FROM given
    CROSS JOIN LATERAL (SELECT source::oid UNION SELECT relid FROM pg_partition_tree(source)) AS part (relation)
    UNION
    SELECT part.relation
    FROM going
    JOIN pg_constraint AS key ON key.confrelid = going.relation AND key.contype = 'f' AND key.confdeltype = 'c'
    CROSS JOIN LATERAL (SELECT key.conrelid UNION SELECT relid FROM pg_partition_tree(key.conrelid)) AS part (relation)
  )
  SELECT key.confdeltype::text AS action, parent.relname::text AS parent
  FROM given
  CROSS JOIN LATERAL (
    SELECT target::oid
    UNION
    SELECT relid FROM pg_partition_tree(target)
    UNION
    SELECT relid FROM pg_partition_ancestors(target)
  ) AS touched (relation)
  JOIN pg_constraint AS key ON key.conrelid = touched.relation AND key.contype = 'f'
  JOIN going ON going.relation = key.confrelid
  JOIN pg_class AS parent ON parent.oid = key.confrelid
  ORDER BY key.confdeltype = 'c' DESC, key.confrelid = given.source DESC, parent.relname`

// A foreign key never leaves its schema, and names its parent in whatever case it was written in.
const ON_SQLITE = `
  WITH RECURSIVE keys AS (
    SELECT child.name AS child, key."table" AS parent, key.on_delete AS action
    FROM pragma_table_list AS child
    JOIN pragma_foreign_key_list(child.name, child.schema) AS key
    WHERE child.schema = $1
  ),
  going (name) AS (
    SELECT $2
    UNION
    SELECT keys.child
    FROM going
    JOIN keys ON keys.parent = going.name COLLATE NOCASE AND keys.action = 'CASCADE'
  )
  SELECT keys.action, going.name AS parent
  FROM keys
  JOIN going ON keys.parent = going.name COLLATE NOCASE
  WHERE keys.child = $4 AND $3 = $1
  ORDER BY keys.action = 'CASCADE' DESC, going.name = $2 DESC, going.name`

const ACTIONS: Readonly<Record<string, Cascade['action']>> = {
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
  CASCADE: 'CASCADE',
  'SET NULL': 'SET NULL',
  'SET DEFAULT': 'SET DEFAULT',
}

/**
 * The foreign keys of `into` through which rows of it go or change when rows of `from` are deleted, at once or by
 * cascades from table to table: those that delete come first, then those that refer to `from` itself.
 */
export async function cascadesInto({ query, dialect }: CatalogueReader, from: Place, into: Place): Promise<Cascade[]> {
  const { rows } = await query<{ action: string; parent: string }>(dialect === 'postgres' ? ON_POSTGRES : ON_SQLITE, [
    from.schema,
    from.name,
    into.schema,
    into.name,
  ])
  return rows.flatMap(({ action, parent }) => {
    const known = ACTIONS[action]
    return known === undefined ? [] : [{ action: known, parent }]
  })
}
