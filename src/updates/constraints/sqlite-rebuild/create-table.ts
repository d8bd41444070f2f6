import { UnreadableTableSqlError } from './errors.js'
import { sqliteTokens, type SqliteToken } from '../../../databases/catalogue/sqlite-tokens.js'
import { afterGroup, isSymbol, isWord, nameOf, sameName } from './tokens.js'

/** A column's definition: from its name to the comma or parenthesis after it. */
export interface ColumnDefinition {
  readonly name: string
  /** All of its tokens, the name first. */
  readonly tokens: readonly SqliteToken[]
}

/** What a `CREATE TABLE` consists of, as far as a constraint has to be found in it or put into it. */
export interface CreateTable {
  readonly sql: string
  readonly name: string
  /** As it was written before the name, or null. */
  readonly schema: string | null
  readonly temporary: boolean
  /** The name's place in the text, with its schema. */
  readonly nameStart: number
  readonly nameEnd: number
  /** Everything between the outer parentheses. */
  readonly body: readonly SqliteToken[]
  /** The place of the parenthesis that closes the body. */
  readonly bodyEnd: number
  readonly columns: readonly ColumnDefinition[]
  /** The table's own constraints. SQLite wants no commas between them, so one item may hold several. */
  readonly tableConstraints: readonly (readonly SqliteToken[])[]
}

/**
 * Reads the text of a `CREATE TABLE` as `sqlite_schema` keeps it, or as somebody wrote it. It isn't held against the
 * grammar: SQLite does that when the text is run.
 *
 * @throws UnreadableTableSqlError when it isn't a `CREATE TABLE` with a list of columns
 */
export function parseCreateTable(sql: string): CreateTable {
  const tokens = sqliteTokens(sql)
  const head = readHead(sql, tokens)
  const open = head.next
  if (!isSymbol(tokens[open], '(')) throw new UnreadableTableSqlError(sql, 'it has no list of columns')
  const after = afterGroup(tokens, open)
  const close = tokens[after - 1]
  if (after < 0 || close === undefined) throw new UnreadableTableSqlError(sql, 'a parenthesis is not closed')
  if (tokens.slice(after).some((token) => isSymbol(token, ';'))) {
    throw new UnreadableTableSqlError(sql, 'something follows after a semicolon')
  }
  const body = tokens.slice(open + 1, after - 1)
  const items = itemsOf(body)
  const firstConstraint = items.findIndex((item) => startsTableConstraint(item[0]))
  const columnItems = firstConstraint < 0 ? items : items.slice(0, firstConstraint)
  return {
    sql,
    ...head,
    body,
    bodyEnd: close.start,
    columns: columnItems.map((item) => toColumn(item, sql)),
    tableConstraints: firstConstraint < 0 ? [] : items.slice(firstConstraint),
  }
}

/** The column's definition under SQLite's rules for names, or undefined. */
export function findColumn(table: CreateTable, name: string): ColumnDefinition | undefined {
  return table.columns.find((column) => sameName(column.name, name))
}

function readHead(sql: string, tokens: readonly SqliteToken[]) {
  let next = 0
  const word = (...words: string[]): boolean => {
    const found = isWord(tokens[next], ...words)
    if (found) next += 1
    return found
  }
  const notReadable = (): never => {
    throw new UnreadableTableSqlError(sql, 'it is no CREATE TABLE')
  }
  if (!word('create')) notReadable()
  const temporary = word('temp', 'temporary')
  if (!word('table')) notReadable()
  if (isWord(tokens[next], 'if') && isWord(tokens[next + 1], 'not')) next += 3
  const first = tokens[next] ?? notReadable()
  const qualified = isSymbol(tokens[next + 1], '.')
  const last = (qualified ? tokens[next + 2] : first) ?? notReadable()
  const name = nameOf(last, sql) ?? notReadable()
  return {
    name,
    schema: qualified ? nameOf(first, sql) : null,
    temporary,
    nameStart: first.start,
    nameEnd: last.end,
    next: next + (qualified ? 3 : 1),
  }
}

function itemsOf(body: readonly SqliteToken[]): SqliteToken[][] {
  const items: SqliteToken[][] = [[]]
  let depth = 0
  for (const token of body) {
    if (isSymbol(token, '(')) depth += 1
    if (isSymbol(token, ')')) depth -= 1
    if (depth === 0 && isSymbol(token, ',')) items.push([])
    else items.at(-1)?.push(token)
  }
  return items
}

// All of these are reserved: as a column's name they would have to be quoted.
function startsTableConstraint(token: SqliteToken | undefined): boolean {
  return isWord(token, 'constraint', 'primary', 'unique', 'check', 'foreign')
}

function toColumn(item: readonly SqliteToken[], sql: string): ColumnDefinition {
  const [first] = item
  const name = first && nameOf(first, sql)
  if (name == null) throw new UnreadableTableSqlError(sql, 'a column has no name')
  return { name, tokens: item }
}
