import { randomBytes } from 'node:crypto'
import type { Query } from '../../databases/database.js'
import {
  findPostgresIndex,
  postgresIndexShape,
  type PostgresIndex,
  type PostgresRelation,
} from '../../databases/catalogue/postgres-index.js'
import { quoteIdentifier, quoteTable } from '../../databases/identifier.js'
import { createIndexSql } from './create-index-sql.js'
import { IndexComparisonError, IndexDefinitionError, IndexNameTakenError } from './errors.js'
import type { IndexRequest } from './options.js'
import { isNameTaken, isRefusal } from './refusal.js'
import { despiteCancel } from '../../databases/session-settings.js'
import { messageOf } from '../../thrown.js'

/**
 * What has the name of the index in the schema of its table: an index of that table, or nothing.
 *
 * @throws IndexNameTakenError when it is something else
 */
export async function findOwnIndex(query: Query, table: PostgresRelation, name: string): Promise<PostgresIndex | null> {
  const found = await findPostgresIndex(query, table.schema, name)
  if (found === null) return null
  if (!found.isIndex) throw new IndexNameTakenError(name, `a relation of schema "${table.schema}" that is no index`)
  if (found.tableOid !== table.oid) throw new IndexNameTakenError(name, `an index of table ${found.table}`)
  return found
}

/** @throws IndexDefinitionError when the existing index is another one than what is asked for */
export async function requireSameDefinition(
  query: Query,
  request: IndexRequest,
  table: PostgresRelation,
  existing: PostgresIndex,
): Promise<void> {
  if (await hasDefinition(query, request, table, existing)) return
  const expected = createIndexSql(request, {
    dialect: 'postgres',
    index: quoteIdentifier(existing.name, 'postgres'),
    table: quoteTable(table, 'postgres'),
  })
  throw new IndexDefinitionError(existing.name, existing.definition, expected)
}

/** Whether an existing index is what the request would make. */
export async function hasDefinition(
  query: Query,
  request: IndexRequest,
  table: PostgresRelation,
  existing: PostgresIndex,
): Promise<boolean> {
  const shape = await postgresIndexShape(query, quoteTable(existing, 'postgres'))
  return shape !== null && shape === (await requestedShape(query, request, table))
}

/**
 * What PostgreSQL makes of the requested definition: the index is made on an empty copy of the table, looked at, and
 * rolled back. Only PostgreSQL knows that `lower(name)` and `lower((name)::text)` are the same.
 */
export async function requestedShape(query: Query, request: IndexRequest, table: PostgresRelation): Promise<string> {
  let refusal: unknown
  for (const copy of copiesOf(table)) {
    try {
      return await shapeOnCopy(query, request, table, copy)
    } catch (error) {
      // A lock that could not be had says nothing of the definition.
      if (!isRefusal(error) && !isNameTaken(error)) throw error
      refusal ??= error
    }
  }
  throw new IndexComparisonError(request.index, messageOf(refusal), refusal)
}

interface TableCopy {
  readonly create: string
  readonly table: string
  readonly index: string
  readonly indexAfterwards: string
}

/** Two places for the copy. */
function copiesOf(table: PostgresRelation): TableCopy[] {
  const own = quoteIdentifier(table.name, 'postgres')
  const scratch = `evenkeel_copy_${randomBytes(6).toString('hex')}`
  const inSchema = (name: string) => quoteTable({ schema: table.schema, name }, 'postgres')
  return [
    // A temporary table can have the name of the original, which an expression may use to qualify its columns.
    {
      create: `CREATE TEMPORARY TABLE ${own}`,
      table: `pg_temp.${own}`,
      index: '"evenkeel_copy"',
      indexAfterwards: 'pg_temp."evenkeel_copy"',
    },
    // Not every role may make temporary tables, but who can build an index may make a table in its schema.
    {
      create: `CREATE UNLOGGED TABLE ${inSchema(scratch)}`,
      table: inSchema(scratch),
      index: `"${scratch}_index"`,
      indexAfterwards: inSchema(`${scratch}_index`),
    },
  ]
}

async function shapeOnCopy(
  query: Query,
  request: IndexRequest,
  table: PostgresRelation,
  copy: TableCopy,
): Promise<string> {
  await query('BEGIN')
  try {
    await query(`${copy.create} (LIKE ${quoteTable(table, 'postgres')})`)
    await query(createIndexSql(request, { dialect: 'postgres', index: copy.index, table: copy.table }))
    const shape = await postgresIndexShape(query, copy.indexAfterwards)
    if (shape === null) throw new IndexComparisonError(request.index, 'the catalogue does not show the copy')
    return shape
  } finally {
    await despiteCancel(() => query('ROLLBACK'))
  }
}
