import { requireReadable } from '../../options.js'
import { describeTable, requireColumns } from '../../databases/catalogue/table.js'
import type { TableName } from '../../databases/identifier.js'
import { commonDefinition } from '../define.js'
import type { CommonOptions, OneShotUpdate } from '../definition.js'
import { nameProblems } from './constraint.js'
import { tableProblems } from '../walk/options.js'
import { inspectNotNull, isNotNullOnPostgres, setNotNullOnPostgres } from './set-not-null-postgres.js'
import { setNotNullOnSqlite } from './sqlite-rebuild/add-constraint.js'

export interface SetNotNullOptions extends CommonOptions {
  readonly table: TableName
  readonly column: string
}

const OPTIONS = ['table', 'column']

/**
 * An update that makes a column NOT NULL without reading the table under a lock that stops others.
 *
 * PostgreSQL: a CHECK that is NOT VALID, VALIDATE, SET NOT NULL, which then reads nothing, and the CHECK is dropped;
 * from version 18 on a NOT NULL constraint that is NOT VALID, and VALIDATE. New rows obey it from the first step on,
 * also when the update fails later. Every step that needs a strong lock waits at most 400 ms for it, 30 tries. SQLite:
 * ALTER TABLE from 3.53 on, before that a rebuild of the table in one transaction.
 *
 * Rows with a NULL fail the update at once with ConstraintViolationsError, which has their count and samples.
 *
 * @throws ConfigurationError naming every option that is wrong
 * @example
 * import { setNotNull } from 'evenkeel'
 *
 * export const emailRequired = setNotNull({ name: 'users_email_required', table: 'users', column: 'email' })
 */
export function setNotNull(options: SetNotNullOptions): OneShotUpdate<unknown, unknown> {
  requireReadable('setNotNull', options)
  const common = commonDefinition('setNotNull', options, OPTIONS, [
    ...tableProblems('table', options?.table),
    ...nameProblems('column', options?.column),
  ])
  const { table, column } = options
  return {
    ...common,
    table: options.table,
    oneShot: true,
    initialProgress: {},
    async check(context) {
      requireColumns(await describeTable(context, table), [column], 'column')
    },
    async isDone({ query, dialect }) {
      if (dialect === 'postgres') return isNotNullOnPostgres(query, options)
      const [found] = requireColumns(await describeTable({ query, dialect }, table), [column], 'column')
      return found?.notNull === true
    },
    async run(context) {
      const { query, dialect } = context
      await (dialect === 'postgres' ? setNotNullOnPostgres(context, options) : setNotNullOnSqlite(query, options))
    },
    async inspect({ query, dialect }) {
      return dialect === 'postgres' ? inspectNotNull(query, options) : { fraction: null, phase: 'rebuilding the table' }
    },
  }
}
