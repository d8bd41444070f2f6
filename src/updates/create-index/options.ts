import { identifierProblem, type TableName } from '../../databases/identifier.js'
import { describe, unknownOptionProblems } from '../../options.js'
import type { CommonOptions } from '../definition.js'

/** A collation or operator class: its name, or with its schema. */
export type QualifiedName = string | { readonly schema?: string; readonly name: string }

interface IndexColumnOrder {
  /** Default ascending. */
  readonly order?: 'asc' | 'desc'
  /** PostgreSQL. Default: last when ascending, first when descending. */
  readonly nulls?: 'first' | 'last'
  /** Operator class, as `text_pattern_ops`. PostgreSQL. Default: that of the column's type. */
  readonly opclass?: QualifiedName
  /** Default: the collation of the column. */
  readonly collate?: QualifiedName
}

/** One part of the index: a column's name, or a column or an SQL expression with how it is ordered. */
export type IndexColumn =
  | string
  | (IndexColumnOrder & { readonly column: string; readonly expression?: undefined })
  | (IndexColumnOrder & { readonly expression: string; readonly column?: undefined })

export interface CreateIndexOptions extends CommonOptions {
  /** Name of the index. It lives in the schema of its table. */
  readonly index: string
  readonly table: TableName
  /** The key of the index, in its order; at least one. */
  readonly columns: readonly IndexColumn[]
  /** Default false. Duplicates fail the update with samples of them: DuplicateKeysError. */
  readonly unique?: boolean
  /** SQL predicate: only the rows for which it is true are in the index. Default: all rows. */
  readonly where?: string
  /** Access method: `gin`, `gist`, `brin`, `hash`, … PostgreSQL. Default `btree`. */
  readonly using?: string
  /** Columns that are stored in the index without being part of its key. PostgreSQL. */
  readonly include?: readonly string[]
  /** NULLs are duplicates of each other; needs `unique`. PostgreSQL 15 and later. Default false. */
  readonly nullsNotDistinct?: boolean
  /** An index of the same table that is dropped once the new one is valid. A name that nothing has is warned of. */
  readonly replaces?: string
  /** ANALYZE the table afterwards: an index on an expression is hardly used without. Default false. */
  readonly analyze?: boolean
}

/** The options that createIndex has beside those of every update. */
export const CREATE_INDEX_OPTIONS = [
  'index',
  'table',
  'columns',
  'unique',
  'where',
  'using',
  'include',
  'nullsNotDistinct',
  'replaces',
  'analyze',
]

/** The index that is wanted, with every default filled in. */
export interface IndexRequest {
  readonly index: string
  readonly table: TableName
  readonly keys: readonly IndexKey[]
  readonly unique: boolean
  readonly where: string | null
  readonly using: string | null
  readonly include: readonly string[]
  readonly nullsNotDistinct: boolean
  readonly replaces: string | null
  readonly analyze: boolean
}

/** One part of the key; a column or an expression. */
export type IndexKey = IndexColumnOrder &
  (
    | { readonly column: string; readonly expression?: undefined }
    | { readonly expression: string; readonly column?: undefined }
  )

export function indexRequest(options: CreateIndexOptions): IndexRequest {
  return {
    index: options.index,
    table: options.table,
    keys: options.columns.map((column) => (typeof column === 'string' ? { column } : column)),
    unique: options.unique ?? false,
    where: options.where ?? null,
    using: options.using ?? null,
    include: options.include ?? [],
    nullsNotDistinct: options.nullsNotDistinct ?? false,
    replaces: options.replaces ?? null,
    analyze: options.analyze ?? false,
  }
}

/** The options that are used and that SQLite doesn't have. */
export function optionsOfPostgres(request: IndexRequest): string[] {
  const { keys } = request
  const uses: readonly (readonly [option: string, used: boolean])[] = [
    ['using', request.using !== null],
    ['include', request.include.length > 0],
    ['nullsNotDistinct', request.nullsNotDistinct],
    ['opclass', keys.some((key) => key.opclass !== undefined)],
    ['nulls', keys.some((key) => key.nulls !== undefined)],
    ['collate with a schema', keys.some((key) => typeof key.collate === 'object' && key.collate.schema !== undefined)],
  ]
  return uses.filter(([, used]) => used).map(([option]) => option)
}

/** What is wrong with the options, as sentences. */
export function createIndexProblems(options: CreateIndexOptions): string[] {
  if (typeof options !== 'object' || options === null) return []
  const problems = [
    ...nameProblems('index', options.index),
    ...tableProblems(options.table),
    ...columnsProblems(options.columns),
    ...sqlProblems('where', options.where),
    ...(options.using === undefined ? [] : nameProblems('using', options.using)),
    ...includeProblems(options.include),
    ...(options.replaces === undefined ? [] : nameProblems('replaces', options.replaces)),
    ...['unique', 'nullsNotDistinct', 'analyze'].flatMap((name) =>
      booleanProblems(name, options[name as 'unique' | 'nullsNotDistinct' | 'analyze']),
    ),
  ]
  if (options.replaces !== undefined && options.replaces === options.index) {
    problems.push('replaces names the index itself; give the new index another name')
  }
  if (options.nullsNotDistinct === true && options.unique !== true) problems.push('nullsNotDistinct needs unique: true')
  return problems
}

function nameProblems(option: string, value: unknown): string[] {
  const problem = identifierProblem(value)
  return problem === null ? [] : [`${option} must be a name, not ${describe(value)}: ${problem}`]
}

function tableProblems(table: unknown): string[] {
  if (typeof table !== 'object' || table === null) return nameProblems('table', table)
  return qualifiedNameProblems('table', table)
}

function qualifiedNameProblems(option: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return nameProblems(option, value)
  const { schema, name } = value as { schema?: unknown; name?: unknown }
  return [
    ...unknownOptionProblems(value, ['schema', 'name']).map((problem) => `${option}: ${problem}`),
    ...(schema === undefined ? [] : nameProblems(`${option}.schema`, schema)),
    ...nameProblems(`${option}.name`, name),
  ]
}

function columnsProblems(columns: unknown): string[] {
  if (!Array.isArray(columns)) return [`columns must be an array of columns, not ${describe(columns)}`]
  if (columns.length === 0) return ['columns must name at least one column']
  return columns.flatMap((column: unknown, position) => columnProblems(`columns[${position}]`, column))
}

const COLUMN_OPTIONS = ['column', 'expression', 'order', 'nulls', 'opclass', 'collate']

function columnProblems(option: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return nameProblems(option, value)
  const column = value as Record<string, unknown>
  const problems = unknownOptionProblems(value, COLUMN_OPTIONS).map((problem) => `${option}: ${problem}`)
  if (column.name !== undefined) problems.push(`${option}: the column's name goes into "column"`)
  if ((column.column === undefined) === (column.expression === undefined)) {
    problems.push(`${option} must have either column or expression`)
  }
  if (column.column !== undefined) problems.push(...nameProblems(`${option}.column`, column.column))
  problems.push(...sqlProblems(`${option}.expression`, column.expression))
  problems.push(...choiceProblems(`${option}.order`, column.order, ['asc', 'desc']))
  problems.push(...choiceProblems(`${option}.nulls`, column.nulls, ['first', 'last']))
  for (const name of ['opclass', 'collate']) {
    if (column[name] !== undefined) problems.push(...qualifiedNameProblems(`${option}.${name}`, column[name]))
  }
  return problems
}

function includeProblems(include: unknown): string[] {
  if (include === undefined) return []
  if (!Array.isArray(include)) return [`include must be an array of column names, not ${describe(include)}`]
  return include.flatMap((column: unknown, position) => nameProblems(`include[${position}]`, column))
}

function sqlProblems(option: string, value: unknown): string[] {
  if (value === undefined) return []
  if (typeof value === 'string' && value.trim() !== '' && !value.includes('\0')) return []
  return [`${option} must be SQL, not ${describe(value)}`]
}

function booleanProblems(option: string, value: unknown): string[] {
  if (value === undefined || typeof value === 'boolean') return []
  return [`${option} must be true or false, not ${describe(value)}`]
}

function choiceProblems(option: string, value: unknown, choices: readonly string[]): string[] {
  if (value === undefined || choices.includes(value as string)) return []
  return [`${option} must be ${choices.map((choice) => `'${choice}'`).join(' or ')}, not ${describe(value)}`]
}
