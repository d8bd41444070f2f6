import type { Query } from '../database.js'
import { quoteIdentifier } from '../identifier.js'
import { firstList, sqliteTokens, type SqliteToken } from './sqlite-tokens.js'

/** What has the name of an index in the schema of its table; mostly an index. */
export interface SqliteIndex {
  readonly name: string
  /** False for a table, view or trigger; what follows says nothing then. */
  readonly isIndex: boolean
  readonly table: string
  /** The CREATE INDEX statement as it was written; null for the index of a constraint. */
  readonly definition: string | null
  readonly unique: boolean
  readonly keys: readonly SqliteIndexKey[]
  /** The predicate of a partial index; null for all rows. */
  readonly where: readonly SqliteToken[] | null
}

export interface SqliteIndexKey {
  /** Null for an expression. */
  readonly column: string | null
  readonly descending: boolean
  readonly collation: string
  /** As written, without COLLATE, ASC and DESC. */
  readonly expression: readonly SqliteToken[]
  /** A COLLATE is written behind it. */
  readonly collationWritten: boolean
}

const IS_UNIQUE = `
  SELECT "unique" AS is_unique
  FROM pragma_index_list($1, $2)
  WHERE name = $3`

const KEYS = `
  SELECT name, "desc" AS descending, coll AS collation
  FROM pragma_index_xinfo($1, $2)
  WHERE key = 1
  ORDER BY seqno`

// Without `to` the parent's primary key is meant, which no index made by CREATE INDEX holds up.
const REFERENCES = `
  SELECT child.name AS child, key.id AS id, key."to" AS column_name
  FROM pragma_table_list AS child
  JOIN pragma_foreign_key_list(child.name, child.schema) AS key
  WHERE child.schema = $1 AND key."table" = $2 COLLATE NOCASE AND key."to" IS NOT NULL
  ORDER BY child.name, key.id, key.seq`

/** What has this name, in whatever case, in this schema; or null. */
export async function findSqliteIndex(query: Query, schema: string, name: string): Promise<SqliteIndex | null> {
  const [found] = (await query<ObjectRow>(objectByName(schema), [name])).rows
  if (found === undefined) return null
  const isIndex = found.type === 'index'
  const [list] = isIndex
    ? (await query<{ is_unique: number }>(IS_UNIQUE, [found.tbl_name, schema, found.name])).rows
    : []
  const keys = isIndex ? (await query<KeyRow>(KEYS, [found.name, schema])).rows : []
  const written = writtenIndex(found.sql ?? '')
  return {
    name: found.name,
    isIndex,
    table: found.tbl_name,
    definition: found.sql,
    unique: list?.is_unique === 1,
    keys: keys.map((key, position) => ({
      column: key.name,
      descending: key.descending === 1,
      collation: key.collation,
      expression: written.keys[position]?.expression ?? [],
      collationWritten: written.keys[position]?.collationWritten ?? false,
    })),
    where: written.where,
  }
}

/** The foreign keys that refer to columns of a table: who refers, and to which columns. */
export async function sqliteReferencesTo(
  query: Query,
  schema: string,
  table: string,
): Promise<{ child: string; columns: string[] }[]> {
  const { rows } = await query<{ child: string; id: number; column_name: string }>(REFERENCES, [schema, table])
  const references = new Map<string, { child: string; columns: string[] }>()
  for (const { child, id, column_name } of rows) {
    const reference = references.get(`${id} ${child}`) ?? { child, columns: [] }
    reference.columns.push(column_name)
    references.set(`${id} ${child}`, reference)
  }
  return [...references.values()]
}

/** The collation that a column was declared with, in upper case; only the table's text tells it. */
export async function sqliteColumnCollation(
  query: Query,
  schema: string,
  table: string,
  column: string,
): Promise<string> {
  const [found] = (await query<ObjectRow>(objectByName(schema), [table])).rows
  const definition = firstList(sqliteTokens(found?.sql ?? '')).items.find(([name]) => sameName(name?.text, column))
  return (definition && collationIn(definition)?.toUpperCase()) ?? 'BINARY'
}

/** SQLite's names differ in more than the case of ASCII letters. */
export function sameName(left: string | undefined, right: string): boolean {
  const folded = (name: string) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  return left !== undefined && folded(left) === folded(right)
}

interface ObjectRow {
  name: string
  type: string
  tbl_name: string
  sql: string | null
}

interface KeyRow {
  name: string | null
  descending: number
  collation: string
}

function objectByName(schema: string): string {
  return `
    SELECT name, type, tbl_name, sql
    FROM ${quoteIdentifier(schema, 'sqlite')}.sqlite_schema
    WHERE name = $1 COLLATE NOCASE
    ORDER BY CASE type WHEN 'index' THEN 0 WHEN 'table' THEN 1 ELSE 2 END`
}

interface WrittenKey {
  readonly expression: readonly SqliteToken[]
  readonly collationWritten: boolean
}

function writtenIndex(sql: string): { keys: WrittenKey[]; where: readonly SqliteToken[] | null } {
  const { items, rest } = firstList(sqliteTokens(sql))
  const [where, ...predicate] = rest
  return { keys: items.map(writtenKey), where: where !== undefined && isWord(where, 'where') ? predicate : null }
}

function writtenKey(tokens: readonly SqliteToken[]): WrittenKey {
  let expression = tokens
  const last = expression.at(-1)
  if (last && (isWord(last, 'asc') || isWord(last, 'desc'))) expression = expression.slice(0, -1)
  const collate = expression.at(-2)
  const collationWritten = collate !== undefined && isWord(collate, 'collate')
  return { expression: collationWritten ? expression.slice(0, -2) : expression, collationWritten }
}

function collationIn(columnDefinition: readonly SqliteToken[]): string | undefined {
  let depth = 0
  for (const [position, token] of columnDefinition.entries()) {
    if (token.kind === 'symbol' && token.text === '(') depth += 1
    if (token.kind === 'symbol' && token.text === ')') depth -= 1
    if (depth === 0 && isWord(token, 'collate')) return columnDefinition[position + 1]?.text
  }
  return undefined
}

function isWord(token: SqliteToken, word: string): boolean {
  return token.kind === 'word' && token.text === word
}
