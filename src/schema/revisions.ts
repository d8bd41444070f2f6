import type { Dialect } from '../databases/database.js'
import * as queue from './revisions/001-queue.js'
import * as lanes from './revisions/002-lanes.js'
import type { Tables } from './tables.js'

/** One step of our own tables, with the same number for both databases. */
export interface Revision {
  readonly number: number
  statements(tables: Tables): string[]
}

/** All revisions, oldest first. A published one never changes. */
export function revisionsOf(dialect: Dialect): readonly Revision[] {
  return [queue, lanes].map((module, index) => ({ number: index + 1, statements: module[dialect] }))
}

/** The revision that this version of the package needs. */
export const CURRENT_REVISION = 2

/** The table that says which revisions are installed; there before the first of them. */
export function revisionTable(tables: Tables): string {
  const now =
    tables.dialect === 'postgres'
      ? 'TIMESTAMPTZ NOT NULL DEFAULT now()'
      : "TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"
  return `CREATE TABLE IF NOT EXISTS ${tables.revisions} (
  revision INTEGER NOT NULL PRIMARY KEY,
  installed_at ${now}
)`
}

/** Records that a revision is installed. `revision` is a number of ours, never input. */
export function recordRevision(tables: Tables, revision: number): string {
  return `INSERT INTO ${tables.revisions} (revision) VALUES (${revision})`
}
