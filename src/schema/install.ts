import type { Database, Query } from '../databases/database.js'
import { databaseErrorCode } from '../databases/error-class.js'
import { quoteIdentifier } from '../databases/identifier.js'
import { OUR_COMMENT } from '../databases/statement-comment.js'
import { NotInstalledError, VersionMismatchError } from '../errors.js'
import { describe, refuseProblems, requireReadable, unknownOptionProblems } from '../options.js'
import { adoptExistingQueue } from './adopt.js'
import { CURRENT_REVISION, recordRevision, revisionsOf, revisionTable } from './revisions.js'
import { tablesOf, TABLE_NAMES, type Tables } from './tables.js'

/** What an installation did. */
export interface InstallResult {
  /** Revision before; 0 when nothing was installed. */
  readonly from: number
  readonly to: number
  /** A queue table of the four public columns was there and was taken over, with its rows. */
  readonly adopted: boolean
}

// Any number that nobody else uses; the same for every version, for that is what a lock is for.
export const INSTALL_LOCK = 7_305_180_116_902

const MAX_TRIES = 5

// duplicate_schema, duplicate_table, duplicate_object, unique_violation, serialization_failure.
const MEANWHILE = new Set(['42P06', '42P07', '42710', '23505', '40001'])

/**
 * Creates or upgrades our tables in one transaction, under a lock: of several processes one does it.
 *
 * Above READ COMMITTED a transaction sees the database as it was before it got the lock, so it may try to create what
 * another has created meanwhile. It is begun anew then, and sees that.
 *
 * @throws VersionMismatchError when the database is newer than this package
 */
export async function install<Tx>(
  database: Database<Tx>,
  databaseName: string,
  tables: Tables,
): Promise<InstallResult> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await installOnce(database, databaseName, tables)
    } catch (error) {
      const code = databaseErrorCode(error)
      if (tries >= MAX_TRIES || code === null || !MEANWHILE.has(code)) throw error
    }
  }
}

async function installOnce<Tx>(database: Database<Tx>, databaseName: string, tables: Tables): Promise<InstallResult> {
  return database.transaction(async (tx) => {
    const query: Query = (text, values) => database.query(tx, text, values)
    if (tables.dialect === 'postgres') {
      await query('SELECT pg_advisory_xact_lock($1)', [INSTALL_LOCK])
      await createSchema(query, tables)
    }
    const from = (await installedRevision(query, tables)) ?? 0
    if (from > CURRENT_REVISION) throw new VersionMismatchError(databaseName, from, CURRENT_REVISION)
    if (from === CURRENT_REVISION) return { from, to: from, adopted: false }
    await query(revisionTable(tables))
    const adoption = from === 0 ? await adoptExistingQueue(query, tables) : null
    for (const revision of revisionsOf(tables.dialect)) {
      if (revision.number <= from) continue
      for (const statement of revision.statements(tables)) await query(statement)
      await query(recordRevision(tables, revision.number))
    }
    await adoption?.copyRows()
    return { from, to: CURRENT_REVISION, adopted: adoption !== null }
  })
}

/**
 * Throws unless our tables are of the revision that this package needs.
 *
 * @throws NotInstalledError
 * @throws VersionMismatchError
 */
export async function checkInstallation<Tx>(
  database: Database<Tx>,
  databaseName: string,
  tables: Tables,
): Promise<void> {
  await database.session((session) => checkInstallationThrough(session.query, databaseName, tables))
}

/** The same through a connection that is there already, for instance the caller's own transaction. */
export async function checkInstallationThrough(query: Query, databaseName: string, tables: Tables): Promise<void> {
  const revision = await installedRevision(query, tables)
  if (revision === null) throw new NotInstalledError(databaseName)
  if (revision !== CURRENT_REVISION) throw new VersionMismatchError(databaseName, revision, CURRENT_REVISION)
}

/**
 * The SQL of a fresh installation, for a team's own migration tool; for PostgreSQL it also adopts an existing queue.
 *
 * @example
 * import { installSql } from 'evenkeel'
 *
 * console.log(installSql('postgres', { schema: 'ops' }))
 */
export function installSql(dialect: 'postgres' | 'sqlite', options: { readonly schema?: string } = {}): string {
  requireReadable('installSql', options)
  const problems = sqlProblems(dialect, options)
  refuseProblems('installSql', problems)
  const tables = tablesOf(dialect, options.schema)
  const schema =
    dialect === 'postgres' && options.schema !== undefined
      ? [`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(options.schema, dialect)}`]
      : []
  const statements = [
    ...schema,
    revisionTable(tables),
    ...revisionsOf(dialect).flatMap((revision) => [
      ...revision.statements(tables),
      recordRevision(tables, revision.number),
    ]),
  ]
  return `BEGIN;\n\n${statements.map((statement) => `${statement};\n`).join('\n')}\nCOMMIT;\n`
}

function sqlProblems(dialect: unknown, options: unknown): string[] {
  const problems: string[] = []
  if (dialect !== 'postgres' && dialect !== 'sqlite') {
    problems.push(`the dialect must be 'postgres' or 'sqlite', not ${describe(dialect)}`)
  }
  if (typeof options !== 'object' || options === null) return [...problems, 'options must be an object']
  return [...problems, ...unknownOptionProblems(options, ['schema'])]
}

// CREATE SCHEMA IF NOT EXISTS wants the right to create one even where there is nothing to do.
async function createSchema(query: Query, { schema }: Tables): Promise<void> {
  if (schema === undefined) return
  const { rows } = await query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema])
  if (rows.length === 0) await query(`CREATE SCHEMA ${quoteIdentifier(schema, 'postgres')}`)
}

async function installedRevision(query: Query, tables: Tables): Promise<number | null> {
  const known =
    tables.dialect === 'postgres'
      ? await query(`SELECT 1 AS known WHERE to_regclass($1) IS NOT NULL ${OUR_COMMENT}`, [tables.revisions])
      : await query("SELECT 1 AS known FROM sqlite_master WHERE type = 'table' AND name = $1", [TABLE_NAMES.revisions])
  if (known.rows.length === 0) return null
  const { rows } = await query<{ revision: number | null }>(`SELECT max(revision) AS revision FROM ${tables.revisions}`)
  return rows[0]?.revision ?? null
}
