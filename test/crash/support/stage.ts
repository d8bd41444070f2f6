import { installSql, type Database, type Dialect } from 'evenkeel'
import type { Scenario } from './scenario.js'

/** A database that scenarios are run on, one after the other. */
export interface Stage {
  readonly dialect: Dialect
  /** A URL or a file name. */
  readonly database: string
  /** The scenario from its beginning: its tables, ours, and its updates in the queue. */
  reset(scenario: Scenario): Promise<void>
  /** A connection for a runner in this process. */
  open(): Database<never>
  /** As if `leaseMs` had gone by since the holder died. */
  expireLeases(): Promise<void>
  rows(sql: string): Promise<Record<string, unknown>[]>
  /** Everything that must not depend on whether somebody died: see `contentSql`. */
  content(): Promise<Content>
}

/** The tables with their rows, and the objects of the schema with their definitions. */
export interface Content {
  readonly rows: Record<string, readonly string[]>
  readonly schema: readonly string[]
}

/** Of our own tables, what counts: which updates ended how, and how much they did in all; no times. */
export const OUR_CONTENT: Readonly<Record<string, string>> = {
  background_updates: 'SELECT update_name, state, state_reason, last_error FROM background_updates',
  background_update_history:
    'SELECT update_name, outcome, batches, items, failures, last_error FROM background_update_history',
  background_update_lanes: 'SELECT update_name, lane FROM background_update_lanes',
  background_update_quarantine: 'SELECT update_name, key_json, error, attempts FROM background_update_quarantine',
}

/** A script for an empty database. */
export function setUpScript(scenario: Scenario, dialect: Dialect): string {
  const rows = scenario.migrate ? [] : scenario.updates(dialect)
  const enqueue = rows.map(
    ({ name, initialProgress, dependsOn, ordering }) =>
      `INSERT INTO background_updates (update_name, progress_json, depends_on, ordering)
VALUES ('${name}', '${JSON.stringify(initialProgress)}', '${dependsOn.join(',')}', ${ordering});`,
  )
  return [installSql(dialect), scenario.tables(dialect), ...enqueue].join('\n')
}

/** Rows as sorted texts, which compare whatever order they came in. */
export function sorted(rows: readonly Record<string, unknown>[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}
