import { quoteIdentifier } from '../../../databases/identifier.js'
import { type CreateTable, findColumn } from './create-table.js'
import { UnreadableTableSqlError } from './errors.js'
import type { SqliteToken } from '../../../databases/catalogue/sqlite-tokens.js'
import { isSymbol, nameOf, sameName } from './tokens.js'

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** The text with a further table constraint at its end; everything else stays as it was written, comments included. */
export function withTableConstraint(table: CreateTable, constraintSql: string): string {
  const lastEnd = table.body.at(-1)?.end ?? table.bodyEnd
  const gap = table.sql.slice(lastEnd, table.bodyEnd)
  // A body over several lines gets a line more; a comment that runs to the end of its line must not swallow it.
  const separate = gap.includes('\n') ? `  ${constraintSql}\n` : ` ${constraintSql}`
  return edited(table.sql, [
    { start: lastEnd, end: lastEnd, text: ',' },
    { start: table.bodyEnd, end: table.bodyEnd, text: separate },
  ])
}

/**
 * The text with a further constraint on one column.
 *
 * @throws UnreadableTableSqlError when the column isn't found in it
 */
export function withColumnConstraint(table: CreateTable, column: string, constraintSql: string): string {
  const last = findColumn(table, column)?.tokens.at(-1)
  if (last === undefined) throw new UnreadableTableSqlError(table.sql, `column "${column}" was not found in it`)
  return edited(table.sql, [{ start: last.end, end: last.end, text: ` ${constraintSql}` }])
}

/**
 * The text under another name, for the time in which both tables exist. `CHECK (users.age > 0)` would be refused in a
 * table of another name, and the rename doesn't mend it, so the table's own name before a column is taken away: in a
 * `CREATE TABLE` there is no other table whose column could be meant.
 */
export function withName(table: CreateTable, name: string): string {
  return edited(table.sql, [
    { start: table.nameStart, end: table.nameEnd, text: `main.${quoteIdentifier(name, 'sqlite')}` },
    ...ownQualifiers(table),
  ])
}

function ownQualifiers(table: CreateTable): Edit[] {
  const { body, sql } = table
  const isOwnName = (token: SqliteToken | undefined): boolean => {
    const name = token && nameOf(token, sql)
    return name != null && sameName(name, table.name)
  }
  return body.flatMap((token, at) => {
    const column = body[at + 2]
    const dotted = isOwnName(token) && isSymbol(body[at + 1], '.') && column !== undefined
    if (!dotted) return []
    const start = isSymbol(body[at - 1], '.') ? (body[at - 2] ?? token).start : token.start
    // Quoted, because a bare `true` would be a constant and not the column of that name.
    return [{ start, end: column.end, text: quoteIdentifier(nameOf(column, sql) ?? column.text, 'sqlite') }]
  })
}

function edited(sql: string, edits: readonly Edit[]): string {
  let result = ''
  let at = 0
  for (const edit of edits) {
    result += sql.slice(at, edit.start) + edit.text
    at = edit.end
  }
  return result + sql.slice(at)
}
