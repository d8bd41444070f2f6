import { identifierProblem, type TableName } from '../../databases/identifier.js'
import { describe, refuseProblems, requireReadable, unknownOptionProblems } from '../../options.js'
import { columnListProblems, tableProblems } from '../walk/options.js'

/** What happens to a row when the row that it refers to is deleted or gets another key. */
export type ReferentialAction = 'no action' | 'restrict' | 'cascade' | 'set null' | 'set default'

/** When a deferrable foreign key is checked: at the end of the statement, or of the transaction. */
export type Deferrable = 'initially immediate' | 'initially deferred'

/** One column of a foreign key with the column of the parent that it refers to. */
export interface ColumnPair {
  readonly own: string
  readonly parent: string
}

export interface ForeignKeyConstraint {
  readonly kind: 'foreignKey'
  readonly columns: readonly ColumnPair[]
  readonly references: TableName
  readonly onDelete: ReferentialAction
  readonly onUpdate: ReferentialAction
  readonly deferrable: Deferrable | null
}

export interface NotNullConstraint {
  readonly kind: 'notNull'
  readonly column: string
}

export interface CheckConstraint {
  readonly kind: 'check'
  /** SQL. */
  readonly expression: string
  /** What a repair by `onViolation: 'null'` sets to NULL. */
  readonly columns: readonly string[] | null
}

export interface UniqueConstraint {
  readonly kind: 'unique'
  readonly columns: readonly string[]
}

/** What `foreignKey`, `notNull`, `check` and `unique` return. */
export type Constraint = ForeignKeyConstraint | NotNullConstraint | CheckConstraint | UniqueConstraint

/**
 * What is done with rows that violate a constraint: `delete` them, set their columns to NULL, or `report`, which
 * changes nothing and fails with their count and samples.
 */
export type OnViolation = 'delete' | 'null' | 'report'

export interface ForeignKeyOptions {
  /** Own column → column of the parent: `{ author_id: 'id' }`. */
  readonly columns: Readonly<Record<string, string>>
  /** The parent table. */
  readonly references: TableName
  /** Default `no action`. */
  readonly onDelete?: ReferentialAction
  /** Default `no action`. */
  readonly onUpdate?: ReferentialAction
  /** True is `initially immediate`, as in SQL. Default false. */
  readonly deferrable?: boolean | Deferrable
}

/**
 * A foreign key. A row with a NULL in any of its own columns doesn't violate it (MATCH SIMPLE).
 *
 * @throws ConfigurationError naming every option that is wrong
 * @example
 * import { foreignKey } from 'evenkeel'
 *
 * export const author = foreignKey({ columns: { author_id: 'id' }, references: 'users', onDelete: 'cascade' })
 */
export function foreignKey(options: ForeignKeyOptions): ForeignKeyConstraint {
  requireReadable('foreignKey', options)
  const problems = isObject(options) ? foreignKeyProblems(options) : ['options must be an object']
  refuseProblems('foreignKey', problems)
  const { columns, references, onDelete = 'no action', onUpdate = 'no action', deferrable = false } = options
  return Object.freeze({
    kind: 'foreignKey',
    columns: Object.freeze(Object.entries(columns).map(([own, parent]) => Object.freeze({ own, parent }))),
    references: typeof references === 'string' ? references : Object.freeze({ ...references }),
    onDelete,
    onUpdate,
    deferrable: deferrable === true ? 'initially immediate' : deferrable === false ? null : deferrable,
  })
}

/**
 * A column that holds no NULL.
 *
 * @throws ConfigurationError when it is no name of a column
 */
export function notNull(column: string): NotNullConstraint {
  const problems = nameProblems('column', column)
  refuseProblems('notNull', problems)
  return Object.freeze({ kind: 'notNull', column })
}

/**
 * An SQL expression that isn't false for any row. A row for which it is NULL doesn't violate it. `columns` are those
 * that a repair by `onViolation: 'null'` sets to NULL.
 *
 * @throws ConfigurationError naming what is wrong
 * @example
 * import { check } from 'evenkeel'
 *
 * export const positive = check('price > 0', { columns: ['price'] })
 */
export function check(expression: string, options: { readonly columns?: readonly string[] } = {}): CheckConstraint {
  requireReadable('check', options)
  const problems = isObject(options) ? unknownOptionProblems(options, ['columns']) : ['options must be an object']
  if (typeof expression !== 'string' || expression.trim() === '') {
    problems.push(`the expression must be SQL, not ${describe(expression)}`)
  }
  const columns = isObject(options) ? options.columns : undefined
  if (columns !== undefined) problems.push(...columnListProblems('columns', columns))
  refuseProblems('check', problems)
  return Object.freeze({ kind: 'check', expression, columns: columns ? Object.freeze([...columns]) : null })
}

/**
 * Columns whose values together are in one row only. NULLs are distinct: a row with a NULL in any of them is no
 * duplicate.
 *
 * @throws ConfigurationError naming what is wrong
 */
export function unique(columns: readonly string[]): UniqueConstraint {
  requireReadable('unique', columns)
  const problems = columnListProblems('columns', columns)
  refuseProblems('unique', problems)
  return Object.freeze({ kind: 'unique', columns: Object.freeze([...columns]) })
}

/** Why a value isn't one of the four constraints. */
export function constraintProblems(value: unknown): string[] {
  const kinds: readonly unknown[] = ['foreignKey', 'notNull', 'check', 'unique']
  if (isObject(value) && kinds.includes((value as { kind?: unknown }).kind)) return []
  return [`constraint must be what foreignKey(), notNull(), check() or unique() returns, not ${describe(value)}`]
}

/** Why a value can't be the name of a constraint, table or column. */
export function nameProblems(option: string, name: unknown): string[] {
  const problem = identifierProblem(name)
  return problem === null ? [] : [`${option} ${describe(name)} can't be a name: ${problem}`]
}

const ACTIONS: readonly unknown[] = ['no action', 'restrict', 'cascade', 'set null', 'set default']
const DEFERRABLE: readonly unknown[] = [undefined, true, false, 'initially immediate', 'initially deferred']

function foreignKeyProblems(options: ForeignKeyOptions): string[] {
  const { columns, references, deferrable } = options
  const problems = unknownOptionProblems(options, ['columns', 'references', 'onDelete', 'onUpdate', 'deferrable'])
  if (!isObject(columns) || Array.isArray(columns)) {
    problems.push(`columns must be { own: 'parent', … }, not ${describe(columns)}`)
  } else {
    const pairs = Object.entries(columns)
    if (pairs.length === 0) problems.push('columns must name at least one column')
    for (const [own, parent] of pairs)
      problems.push(...nameProblems('columns', own), ...nameProblems(`columns.${own}`, parent))
    const twice = duplicatesIn(pairs.map(([, parent]) => parent))
    if (twice.length > 0) problems.push(`columns refer to ${twice.map(describe).join(', ')} more than once`)
  }
  problems.push(...tableProblems('references', references))
  for (const name of ['onDelete', 'onUpdate'] as const) {
    const action = options[name]
    if (action === undefined || ACTIONS.includes(action)) continue
    problems.push(`${name} must be one of ${ACTIONS.map(describe).join(', ')}, not ${describe(action)}`)
  }
  if (!DEFERRABLE.includes(deferrable)) {
    problems.push(
      `deferrable must be true, false, "initially immediate" or "initially deferred", not ${describe(deferrable)}`,
    )
  }
  return problems
}

function duplicatesIn(values: readonly unknown[]): unknown[] {
  return values.filter((value, index) => values.indexOf(value) !== index)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
