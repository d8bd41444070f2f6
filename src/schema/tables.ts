import type { Dialect } from '../databases/database.js'
import { quoteTable } from '../databases/identifier.js'

/** Our own tables, quoted, ready to stand in SQL. */
export interface Tables {
  readonly dialect: Dialect
  /** PostgreSQL schema, unquoted; undefined is the first of the search path. */
  readonly schema: string | undefined
  readonly queue: string
  readonly history: string
  readonly quarantine: string
  readonly settings: string
  readonly revisions: string
}

/** The unquoted names; `background_updates` is a public interface. */
export const TABLE_NAMES = {
  queue: 'background_updates',
  history: 'background_update_history',
  quarantine: 'background_update_quarantine',
  settings: 'background_update_settings',
  revisions: 'background_update_revisions',
} as const

export function tablesOf(dialect: Dialect, schema?: string): Tables {
  const quoted = (name: string) => quoteTable({ schema, name }, dialect)
  return {
    dialect,
    schema,
    queue: quoted(TABLE_NAMES.queue),
    history: quoted(TABLE_NAMES.history),
    quarantine: quoted(TABLE_NAMES.quarantine),
    settings: quoted(TABLE_NAMES.settings),
    revisions: quoted(TABLE_NAMES.revisions),
  }
}
