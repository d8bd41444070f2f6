import { sameSqliteExpression, type SqliteToken } from '../../../databases/catalogue/sqlite-tokens.js'
import type { CreateTable } from './create-table.js'
import { afterGroup, foldName, isSymbol, isWord, nameOf, sameName } from './tokens.js'

/** What one constraint in a `CREATE TABLE` says, so that two that are written differently can be compared. */
export type ConstraintClause =
  | {
      readonly kind: 'foreign key'
      readonly columns: readonly string[]
      readonly parent: string
      /** Null where none are named: the parent's primary key. */
      readonly parentColumns: readonly string[] | null
      readonly onDelete: string
      readonly onUpdate: string
      readonly deferred: boolean
    }
  | { readonly kind: 'unique'; readonly columns: readonly string[]; readonly extras: string }
  | { readonly kind: 'check'; readonly expression: readonly SqliteToken[]; readonly extras: string }
  | { readonly kind: 'not null'; readonly columns: readonly string[]; readonly extras: string }
  | { readonly kind: 'other'; readonly text: string }

/** A constraint that was given a name. */
export interface NamedConstraint {
  readonly name: string
  readonly clause: ConstraintClause
  /** As it is written in the table, for messages. */
  readonly text: string
}

/** All constraints with a name, those of columns and those of the table. */
export function namedConstraints(table: CreateTable): NamedConstraint[] {
  return [
    ...table.columns.flatMap((column) => namedIn(column.tokens, table.sql, column.name)),
    ...table.tableConstraints.flatMap((item) => namedIn(item, table.sql, null)),
  ]
}

export function findConstraint(table: CreateTable, name: string): NamedConstraint | undefined {
  return namedConstraints(table).find((constraint) => sameName(constraint.name, name))
}

/** Whether two constraints say the same. `parentKey` is the primary key that a reference without columns means. */
export function sameClause(left: ConstraintClause, right: ConstraintClause, parentKey: readonly string[]): boolean {
  if (left.kind === 'foreign key' && right.kind === 'foreign key') {
    return foreignKeyText(left, parentKey) === foreignKeyText(right, parentKey)
  }
  if (left.kind === 'check' && right.kind === 'check') {
    return left.extras === right.extras && sameSqliteExpression(left.expression, right.expression)
  }
  if (left.kind === 'unique' || left.kind === 'not null') {
    return right.kind === left.kind && left.extras === right.extras && setText(left.columns) === setText(right.columns)
  }
  return false
}

function setText(names: readonly string[]): string {
  return JSON.stringify(names.map(foldName).sort())
}

function foreignKeyText(clause: ConstraintClause & { kind: 'foreign key' }, parentKey: readonly string[]): string {
  const parentColumns = clause.parentColumns ?? parentKey
  const pairs = clause.columns.map((column, at) =>
    JSON.stringify([foldName(column), foldName(parentColumns[at] ?? '')]),
  )
  return JSON.stringify([pairs.sort(), foldName(clause.parent), clause.onDelete, clause.onUpdate, clause.deferred])
}

function namedIn(tokens: readonly SqliteToken[], sql: string, column: string | null): NamedConstraint[] {
  const found: NamedConstraint[] = []
  let depth = 0
  for (const [at, token] of tokens.entries()) {
    if (isSymbol(token, '(')) depth += 1
    if (isSymbol(token, ')')) depth -= 1
    const nameToken = tokens[at + 1]
    if (depth > 0 || !isWord(token, 'constraint') || nameToken === undefined) continue
    const { clause, length } = readClause(tokens.slice(at + 2), sql, column)
    const end = tokens[at + 1 + length]?.end ?? nameToken.end
    found.push({ name: nameOf(nameToken, sql) ?? nameToken.text, clause, text: sql.slice(token.start, end) })
  }
  return found
}

interface ReadClause {
  readonly clause: ConstraintClause
  /** How many tokens it takes. */
  readonly length: number
}

/** Reads the constraint that begins with the first token; what follows it is left alone. */
export function readClause(tokens: readonly SqliteToken[], sql: string, column: string | null): ReadClause {
  const [first, second] = tokens
  if (isWord(first, 'check') && isSymbol(second, '(')) {
    const end = afterGroup(tokens, 1)
    const conflict = readConflict(tokens, end)
    return {
      clause: { kind: 'check', expression: tokens.slice(2, end - 1), extras: conflict.text },
      length: conflict.end,
    }
  }
  if (isWord(first, 'not') && isWord(second, 'null') && column !== null) {
    const conflict = readConflict(tokens, 2)
    return { clause: { kind: 'not null', columns: [column], extras: conflict.text }, length: conflict.end }
  }
  if (isWord(first, 'unique')) return readUnique(tokens, sql, column)
  if (isWord(first, 'foreign') && isSymbol(tokens[2], '(')) {
    const list = readNames(tokens, 2, sql)
    return readReferences(tokens, list.end, sql, list.names)
  }
  if (isWord(first, 'references') && column !== null) return readReferences(tokens, 0, sql, [column])
  const last = tokens.at(-1)
  return {
    clause: { kind: 'other', text: first && last ? sql.slice(first.start, last.end) : '' },
    length: tokens.length,
  }
}

function readUnique(tokens: readonly SqliteToken[], sql: string, column: string | null): ReadClause {
  const list = column === null ? readNames(tokens, 1, sql) : { names: [column], extras: '', end: 1 }
  const conflict = readConflict(tokens, list.end)
  return {
    clause: { kind: 'unique', columns: list.names, extras: list.extras + conflict.text },
    length: conflict.end,
  }
}

// `extras` is what a list says beside names: COLLATE, DESC.
function readNames(tokens: readonly SqliteToken[], open: number, sql: string) {
  const end = afterGroup(tokens, open)
  const names: string[] = []
  const extras: string[] = []
  let expectsName = true
  for (const token of tokens.slice(open + 1, end - 1)) {
    if (isSymbol(token, ',')) expectsName = true
    else if (expectsName) {
      names.push(nameOf(token, sql) ?? token.text)
      expectsName = false
    } else extras.push(foldName(token.text))
  }
  return { names, extras: extras.join(' '), end }
}

function readConflict(tokens: readonly SqliteToken[], at: number): { text: string; end: number } {
  if (!isWord(tokens[at], 'on') || !isWord(tokens[at + 1], 'conflict')) return { text: '', end: at }
  const action = tokens[at + 2]?.text ?? ''
  // ABORT is what happens without the clause.
  return { text: action === 'abort' ? '' : ` on conflict ${action}`, end: at + 3 }
}

function readReferences(
  tokens: readonly SqliteToken[],
  at: number,
  sql: string,
  columns: readonly string[],
): ReadClause {
  const parentToken = tokens[at + 1]
  const parent = (parentToken && nameOf(parentToken, sql)) ?? ''
  let next = at + 2
  let parentColumns: readonly string[] | null = null
  if (isSymbol(tokens[next], '(')) {
    const list = readNames(tokens, next, sql)
    parentColumns = list.names
    next = list.end
  }
  const actions = { delete: 'no action', update: 'no action' }
  let deferred = false
  for (;;) {
    const [first, second, third] = tokens.slice(next, next + 3)
    if (isWord(first, 'on') && isWord(second, 'delete', 'update')) {
      const twoWords = isWord(third, 'set', 'no')
      const action = twoWords ? `${third?.text} ${tokens[next + 3]?.text}` : (third?.text ?? '')
      actions[second?.text as keyof typeof actions] = action
      next += twoWords ? 4 : 3
    } else if (isWord(first, 'match')) next += 2
    else if (isWord(first, 'deferrable') || (isWord(first, 'not') && isWord(second, 'deferrable'))) {
      const negated = isWord(first, 'not')
      next += negated ? 2 : 1
      const initially = isWord(tokens[next], 'initially')
      // SQLite defers only what is DEFERRABLE INITIALLY DEFERRED; every other spelling is immediate.
      deferred = !negated && initially && isWord(tokens[next + 1], 'deferred')
      if (initially) next += 2
    } else break
  }
  const clause = { columns, parent, parentColumns, onDelete: actions.delete, onUpdate: actions.update, deferred }
  return { clause: { kind: 'foreign key', ...clause }, length: next }
}
