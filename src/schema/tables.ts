import type { Dialect } from '../databases/database.js'
import { quoteTable } from '../databases/identifier.js'

/** Our own tables, quoted, ready to stand in SQL. */
export interface Tables {
  readonly dialect: Dialect
  /** PostgreSQL schema, unquoted; undefined is the first of the search path. */
  readonly schema: string | undefined
  readonly queue: string
  readonly lanes: string
  readonly history: string
  readonly quarantine: string
  readonly settings: string
  readonly audit: string
  readonly revisions: string
}

/** The unquoted names; `background_updates` is a public interface. */
export const TABLE_NAMES = {
  queue: 'background_updates',
  lanes: 'background_update_lanes',
  history: 'background_update_history',
  quarantine: 'background_update_quarantine',
  settings: 'background_update_settings',
  audit: 'background_update_audit',
  revisions: 'background_update_revisions',
} as const

export function tablesOf(dialect: Dialect, schema?: string): Tables {
  const quoted = (name: string) => quoteTable({ schema, name }, dialect)
  return {
    dialect,
    schema,
    queue: quoted(TABLE_NAMES.queue),
    lanes: quoted(TABLE_NAMES.lanes),
    history: quoted(TABLE_NAMES.history),
    quarantine: quoted(TABLE_NAMES.quarantine),
    settings: quoted(TABLE_NAMES.settings),
    audit: quoted(TABLE_NAMES.audit),
    revisions: quoted(TABLE_NAMES.revisions),
  }
}
