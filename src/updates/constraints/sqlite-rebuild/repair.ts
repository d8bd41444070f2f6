import type { Query } from '../../../databases/database.js'
import { quoteColumns, quoteIdentifier, quoteTable, type TableName } from '../../../databases/identifier.js'
import { describeTable, type TableDescription } from '../../../databases/catalogue/table.js'
import { ConfigurationError } from '../../../errors.js'
import type { Constraint, OnViolation } from '../constraint.js'
import { ConstraintViolationsError } from '../errors.js'
import { keptColumns } from '../../delete-rows/keeping.js'
import { RowsNotKeptError } from '../../delete-rows/move.js'
import { fillFirst } from '../violation-hints.js'
import { repairColumns, violationPredicate } from '../violation.js'
import { NotRebuildableError, RepairHadNoEffectError } from './errors.js'
import { rowidName } from './rows-copy.js'

export interface RepairRequest {
  /** The constraint as messages call it. */
  readonly label: string
  readonly constraint: Constraint
  readonly onViolation: OnViolation
  readonly maxViolations?: number
  readonly keepIn?: TableName
}

const SAMPLES = 5

/**
 * Does to the rows that violate the constraint what `onViolation` says, in the open transaction, until none is left. A
 * foreign key of a table to itself may need several rounds: a row that goes may have been the parent of another.
 *
 * @throws ConstraintViolationsError when the rows are only to be reported, or are more than `maxViolations`
 * @throws RepairHadNoEffectError when rows still violate it afterwards
 */
export async function repairViolations(query: Query, table: TableDescription, request: RepairRequest): Promise<void> {
  const violators = violatorsOf(table, request)
  let found = await countViolators(query, violators)
  if (found === 0) return
  const repair = await chosenRepair(query, table, violators, request)
  const rowsInTable = await count(query, `SELECT count(*) AS n FROM ${target(table)}`)
  for (let repaired = 0; found > 0; found = await countViolators(query, violators)) {
    repaired += found
    if (request.maxViolations !== undefined && repaired > request.maxViolations) {
      throw await violationsError(query, table, violators, request, repaired)
    }
    // No row is repaired twice, so more repairs than rows means that something undoes them: a trigger, for instance.
    if (repaired > rowsInTable || (await repair()) === 0) {
      throw new RepairHadNoEffectError(request.label, table.name, found)
    }
  }
}

interface Violators {
  /** What stands after FROM. */
  readonly source: string
  readonly predicate: string
}

function violatorsOf(table: TableDescription, { constraint }: RepairRequest): Violators {
  const row = 'violator'
  const predicate = violationPredicate(constraint, {
    dialect: 'sqlite',
    row,
    table: { schema: 'main', name: table.name },
    key: constraint.kind === 'unique' ? keyOf(table) : [],
  })
  // The expression of a check may say `users.age`, which an alias would hide.
  return { source: constraint.kind === 'check' ? target(table) : `${target(table)} AS ${row}`, predicate }
}

// What tells two rows with equal values apart: the first of them stays.
function keyOf(table: TableDescription): readonly string[] {
  const key = table.uniqueKeys.find((candidate) => candidate.notNull)
  const rowid = table.withoutRowid ? null : rowidName(table)
  const columns = key?.columns ?? (rowid === null ? undefined : [rowid])
  if (columns !== undefined) return columns
  throw new NotRebuildableError(
    table.name,
    'it has columns named rowid, _rowid_ and oid and no key, so that equal rows can’t be told apart',
    'Give it an INTEGER PRIMARY KEY, or rename one of these columns.',
  )
}

async function chosenRepair(
  query: Query,
  table: TableDescription,
  violators: Violators,
  request: RepairRequest,
): Promise<() => Promise<number>> {
  const { source, predicate } = violators
  if (request.onViolation === 'report') {
    throw await violationsError(query, table, violators, request, await countViolators(query, violators))
  }
  if (request.onViolation === 'null') {
    const columns = nullableColumns(request.constraint)
    const assignments = columns.map((column) => `${quoteIdentifier(column, 'sqlite')} = NULL`).join(', ')
    // OR ABORT: an `ON CONFLICT REPLACE` of the table would delete a row or put in a default.
    return async () => (await query(`UPDATE OR ABORT ${source} SET ${assignments} WHERE ${predicate}`)).rowCount
  }
  const keep = request.keepIn === undefined ? null : await keepStatement(query, table, violators, request.keepIn)
  return async () => {
    const kept = keep === null ? null : (await query(keep)).rowCount
    const deleted = (await query(`DELETE FROM ${source} WHERE ${predicate}`)).rowCount
    if (kept !== null && kept !== deleted) throw new RowsNotKeptError(`addConstraint ${request.label}`, deleted, kept)
    return deleted
  }
}

function nullableColumns(constraint: Constraint): readonly string[] {
  const columns = repairColumns(constraint)
  if (typeof columns !== 'string') return columns
  throw new ConfigurationError('addConstraint', [`onViolation 'null' is not possible: ${columns}`])
}

async function keepStatement(
  query: Query,
  table: TableDescription,
  violators: Violators,
  keepIn: TableName,
): Promise<string> {
  const name = typeof keepIn === 'string' ? { schema: 'main', name: keepIn } : { schema: 'main', ...keepIn }
  const keep = await describeTable({ query, dialect: 'sqlite' }, name)
  // With foreign keys off no cascade takes a row that nobody keeps.
  const columns = keptColumns(table, keep, keepIn)
  const list = quoteColumns(columns, 'sqlite')
  // OR ABORT: an `ON CONFLICT IGNORE` or `REPLACE` of that table would drop rows without a word.
  return `INSERT OR ABORT INTO ${quoteTable(name, 'sqlite')} (${list})
     SELECT ${list}
     FROM ${violators.source}
     WHERE ${violators.predicate}`
}

async function violationsError(
  query: Query,
  table: TableDescription,
  { source, predicate }: Violators,
  request: RepairRequest,
  found: number,
): Promise<ConstraintViolationsError> {
  const samples = await query(`SELECT * FROM ${source} WHERE ${predicate} LIMIT ${SAMPLES}`)
  const limit = request.onViolation === 'report' ? undefined : request.maxViolations
  return new ConstraintViolationsError(request.label, table.name, {
    count: found,
    samples: samples.rows,
    limit,
    ...(request.constraint.kind === 'notNull'
      ? { hint: `${fillFirst(request.constraint.column)} Nothing was changed.` }
      : {}),
  })
}

async function countViolators(query: Query, { source, predicate }: Violators): Promise<number> {
  return count(query, `SELECT count(*) AS n FROM ${source} WHERE ${predicate}`)
}

async function count(query: Query, sql: string): Promise<number> {
  return (await query<{ n: number }>(sql)).rows[0]?.n ?? 0
}

function target(table: TableDescription): string {
  return quoteTable({ schema: 'main', name: table.name }, 'sqlite')
}
