import { SchemaMismatchError } from '../../errors.js'
import { quoteTable, type TableName } from '../identifier.js'
import type { CatalogueReader } from './table-description.js'

/** A column whose values are compared by statements of ours. */
export interface ComparedColumn {
  readonly table: TableName
  readonly column: string
  /** Its values are read as text and compared with that text: the key of a walk. */
  readonly byText?: boolean
}

// The types of nearly every key, where nothing can be found before the operators of pg_catalog: those are for exactly
// these types, and their text is exact whatever the settings. MISCOMPARED takes ten times as long, mostly to plan.
const PLAIN = `
  SELECT count(*)::int AS plain
  FROM json_to_recordset($1::text::json) AS wanted (table_sql text, column_name text)
  JOIN pg_attribute AS a ON a.attrelid = to_regclass(wanted.table_sql) AND a.attname = wanted.column_name::name
  WHERE a.attnum > 0
    AND NOT a.attisdropped
    AND a.atttypid = ANY (ARRAY[
      'int2', 'int4', 'int8', 'numeric', 'text', 'uuid', 'date', 'timestamp', 'timestamptz'
    ]::regtype[]::oid[])
    AND 'pg_catalog' = (
      SELECT path.name
      FROM unnest(current_schemas(TRUE)) WITH ORDINALITY AS path (name, place)
      -- Operators are never looked for among temporary objects.
      WHERE path.name NOT LIKE 'pg\\_temp%'
      ORDER BY path.place
      LIMIT 1
    )`

// An operator is looked up by its name along the search path, and where the type's own isn't found, that of a type it
// can be cast to is taken without a word. The index, ORDER BY and foreign keys always use those of the operator class.
// An operator for exactly the type stands before that of a type which is the same in binary: varchar has text's.
// MATERIALIZED, because the planner would look for the class once for each operator that there is.
const MISCOMPARED = `
  WITH RECURSIVE below AS (
    SELECT wanted.place, wanted.by_text, a.attrelid AS relation, a.attname AS column_name, a.atttypid AS type_id
    FROM json_to_recordset($1::text::json) AS wanted (place int, table_sql text, column_name text, by_text boolean)
    JOIN pg_attribute AS a ON a.attrelid = to_regclass(wanted.table_sql) AND a.attname = wanted.column_name::name
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT below.place, below.by_text, below.relation, below.column_name, t.typbasetype
    FROM below
    JOIN pg_type AS t ON t.oid = below.type_id
    WHERE t.typtype = 'd'
  ),
  compared AS MATERIALIZED (
    SELECT below.*, btree.family, btree.input_id
    FROM below
    JOIN pg_type AS t ON t.oid = below.type_id
    CROSS JOIN LATERAL (
      SELECT class.opcfamily AS family, class.opcintype AS input_id
      FROM pg_opclass AS class
      JOIN pg_type AS input ON input.oid = class.opcintype
      WHERE class.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree')
        AND class.opcdefault
        AND (
          class.opcintype = t.oid
          OR class.opcintype = to_regtype(CASE
            WHEN t.typlen = -1 AND t.typelem <> 0 THEN 'pg_catalog.anyarray'
            WHEN t.typtype = 'e' THEN 'pg_catalog.anyenum'
            WHEN t.typtype = 'r' THEN 'pg_catalog.anyrange'
            WHEN t.typtype = 'm' THEN 'pg_catalog.anymultirange'
            WHEN t.typtype = 'c' THEN 'pg_catalog.record'
          END)
          OR class.opcintype IN (
            SELECT casttarget
            FROM pg_cast
            WHERE castsource = t.oid AND castmethod = 'b' AND castcontext = 'i'
          )
        )
      ORDER BY class.opcintype = t.oid DESC, input.typispreferred DESC
      LIMIT 1
    ) AS btree
    WHERE t.typtype <> 'd'
  ),
  other AS MATERIALIZED (
    SELECT compared.place, member.amopstrategy AS strategy, names.name, own.oprnamespace AS home, found.oprnamespace AS hidden_by
    FROM compared
    JOIN pg_amop AS member
      ON member.amopfamily = compared.family
        AND member.amoplefttype = compared.input_id
        AND member.amoprighttype = compared.input_id
        AND member.amoppurpose = 's'
    JOIN (VALUES (1, '<'), (2, '<='), (3, '='), (4, '>='), (5, '>')) AS names (strategy, name)
      ON names.strategy = member.amopstrategy
    JOIN pg_operator AS own ON own.oid = member.amopopr
    LEFT JOIN pg_operator AS found
      ON found.oprname = names.name::name
        AND found.oprleft = compared.type_id
        AND found.oprright = compared.type_id
        AND pg_operator_is_visible(found.oid)
    WHERE found.oid IS DISTINCT FROM own.oid
      AND NOT (
        found.oid IS NULL
        AND compared.input_id <> compared.type_id
        AND own.oprname = names.name::name
        AND pg_operator_is_visible(own.oid)
      )
  ),
  inexact AS MATERIALIZED (
    SELECT below.place,
      CASE WHEN read.floats THEN 'extra_float_digits' ELSE 'DateStyle' END AS setting
    FROM below
    JOIN pg_type AS t ON t.oid = below.type_id
    LEFT JOIN pg_range AS range ON range.rngtypid = t.oid
    CROSS JOIN LATERAL (
      SELECT current_setting('extra_float_digits')::int < 1
          AND ARRAY['float4'::regtype::oid, 'float8'::regtype::oid] && ARRAY[t.oid, t.typelem, range.rngsubtype] AS floats,
        -- In arrays and ranges: by themselves they are read as JSON.
        current_setting('DateStyle') NOT LIKE 'ISO%'
          AND ARRAY['timestamp'::regtype::oid, 'timestamptz'::regtype::oid, 'date'::regtype::oid]
            && ARRAY[t.typelem, range.rngsubtype] AS dates
    ) AS read
    WHERE below.by_text AND (read.floats OR read.dates)
  )
  SELECT n.nspname::text AS schema,
    c.relname::text AS table_name,
    below.column_name::text AS column_name,
    format_type(below.type_id, NULL) AS type,
    string_agg(other.name, ', ' ORDER BY other.strategy) AS operators,
    min(home.nspname::text) AS home,
    min(hider.nspname::text) AS hidden_by,
    min(inexact.setting) AS setting,
    current_setting(min(inexact.setting), TRUE) AS setting_value
  FROM below
  JOIN pg_class AS c ON c.oid = below.relation
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN other ON other.place = below.place
  LEFT JOIN pg_namespace AS home ON home.oid = other.home
  LEFT JOIN pg_namespace AS hider ON hider.oid = other.hidden_by
  LEFT JOIN inexact ON inexact.place = below.place
  WHERE NOT EXISTS (SELECT 1 FROM pg_type AS t WHERE t.oid = below.type_id AND t.typtype = 'd')
    AND (other.place IS NOT NULL OR inexact.place IS NOT NULL)
  GROUP BY below.place, n.nspname, c.relname, below.column_name, below.type_id
  ORDER BY below.place
  LIMIT 1`

/**
 * Makes sure that PostgreSQL compares these columns as their indexes and foreign keys do, and that what goes through text
 * comes back exactly. One query for the usual types, two else; none on SQLite. A table or column that isn't there is left to others.
 *
 * @throws SchemaMismatchError naming the column, and the schema to search or the setting to change
 */
export async function requireComparable(reader: CatalogueReader, columns: readonly ComparedColumn[]): Promise<void> {
  if (reader.dialect !== 'postgres' || columns.length === 0) return
  const wanted = columns.map(({ table, column, byText = false }, place) => ({
    place,
    table_sql: quoteTable(table, 'postgres'),
    column_name: column,
    by_text: byText,
  }))
  const values = [JSON.stringify(wanted)]
  const [counted] = (await reader.query<{ plain: number }>(PLAIN, values)).rows
  if (counted?.plain === columns.length) return
  const [row] = (await reader.query<MiscomparedRow>(MISCOMPARED, values)).rows
  if (row === undefined) return
  throw row.operators === null ? inexactText(row) : otherOperators(row, row.operators)
}

interface MiscomparedRow {
  schema: string
  table_name: string
  column_name: string
  type: string
  /** Null where only its text is the matter. */
  operators: string | null
  home: string
  hidden_by: string | null
  /** By which the text isn't exact. */
  setting: 'extra_float_digits' | 'DateStyle'
  setting_value: string
}

const REMEDY = "by ALTER ROLE … SET, or in their options ('-c name=value'). Then retry the update."

function otherOperators(row: MiscomparedRow, operators: string): SchemaMismatchError {
  const { home, hidden_by: other } = row
  const reason =
    other === null
      ? `there is none of ${operators} of schema "${home}"`
      : `${operators} of schema "${other}" hides that of schema "${home}"`
  const order = other === null ? '' : ` before "${other}", or take "${other}" off it`
  return new SchemaMismatchError(
    `table ${row.schema}.${row.table_name}`,
    `the column "${row.column_name}" of type ${row.type} would be compared by other operators than its index and ` +
      `foreign keys use, so rows would be missed or taken for others: on the search_path ${reason}`,
    `Put schema "${home}" on the search_path of Evenkeel's connections${order}, ${REMEDY}`,
  )
}

const EXACT = { extra_float_digits: '1', DateStyle: 'ISO' }

function inexactText(row: MiscomparedRow): SchemaMismatchError {
  return new SchemaMismatchError(
    `table ${row.schema}.${row.table_name}`,
    `the key column "${row.column_name}" of type ${row.type} can't be read exactly while ${row.setting} is ` +
      `${row.setting_value}, so rows would be missed`,
    `Set ${row.setting} to ${EXACT[row.setting]}, which is PostgreSQL's default, for Evenkeel's connections, ${REMEDY}`,
  )
}
