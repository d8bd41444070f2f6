import { identifierProblem, type TableName } from '../../databases/identifier.js'
import { describe, lanesProblems, unknownOptionProblems } from '../../options.js'
import type { CommonOptions } from '../definition.js'

/** What all updates that walk a table have in common. */
export interface WalkOptions extends CommonOptions {
  readonly table: TableName
  /**
   * Columns whose tuple is unique and NOT NULL, to walk by. Default: the primary key, or the only such unique key.
   * They must not be changed while the update runs.
   */
  readonly key?: string | readonly string[]
  /** SQL condition on the rows that are changed. The walk itself goes over all rows. */
  readonly where?: string
  /**
   * Into how many ranges a big table is split, which as many runners walk at the same time; 1 to 64. Default: the
   * updater's. PostgreSQL only.
   */
  readonly lanes?: number
}

export const WALK_OPTIONS = ['table', 'key', 'where', 'lanes']

/** What is wrong with the options that all walks share. */
export function walkProblems(options: WalkOptions): string[] {
  return [
    ...tableProblems('table', options?.table),
    ...keyProblems(options?.key),
    ...(options?.where === undefined ? [] : sqlProblems('where', options.where)),
    ...lanesProblems(options?.lanes),
  ]
}

/** The key as an array, undefined for the default. */
export function keyColumns(key: WalkOptions['key']): readonly string[] | undefined {
  return typeof key === 'string' ? [key] : key
}

export function tableProblems(option: string, table: unknown): string[] {
  if (typeof table === 'string') return nameProblems(option, table)
  if (typeof table !== 'object' || table === null || Array.isArray(table)) {
    return [`${option} must be a name or { schema, name }, not ${describe(table)}`]
  }
  const { schema, name } = table as { schema?: unknown; name?: unknown }
  return [
    ...unknownOptionProblems(table, ['schema', 'name']).map((problem) => `${option}: ${problem}`),
    ...nameProblems(`${option}.name`, name),
    ...(schema === undefined ? [] : nameProblems(`${option}.schema`, schema)),
  ]
}

/** A non-empty array of different column names, where one alone may stand without the array. */
export function columnListProblems(option: string, columns: unknown): string[] {
  if (!Array.isArray(columns)) return [`${option} must be an array of column names, not ${describe(columns)}`]
  if (columns.length === 0) return [`${option} must name at least one column`]
  const names: readonly unknown[] = columns
  const twice = names.filter((name, index) => names.indexOf(name) !== index)
  return [
    ...names.flatMap((name) => nameProblems(option, name)),
    ...twice.map((name) => `${option} names ${describe(name)} twice`),
  ]
}

/** A piece of SQL that is written by the user. */
export function sqlProblems(option: string, sql: unknown): string[] {
  return typeof sql === 'string' && sql.trim() !== '' ? [] : [`${option} must be SQL as a string, not ${describe(sql)}`]
}

function keyProblems(key: unknown): string[] {
  if (key === undefined) return []
  return typeof key === 'string' ? nameProblems('key', key) : columnListProblems('key', key)
}

function nameProblems(option: string, name: unknown): string[] {
  const problem = identifierProblem(name)
  return problem === null ? [] : [`${option} ${describe(name)} can't be a name: ${problem}`]
}
