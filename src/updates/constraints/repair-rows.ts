import { referencingKeys, type ReferencingKey } from '../../databases/catalogue/constraint.js'
import type { PostgresRelation } from '../../databases/catalogue/postgres-index.js'
import type { Query } from '../../databases/database.js'
import { classifyError } from '../../databases/error-class.js'
import { quoteIdentifier, quoteTable } from '../../databases/identifier.js'
import type { SqlPart } from '../../keyset/range.js'
import type { KeyRange, WalkPlan } from '../../keyset/walk.js'
import type { Keeping } from '../delete-rows/keeping.js'
import { movePostgresRows } from '../delete-rows/move.js'
import type { Constraint, OnViolation } from './constraint.js'
import { CascadeRefusedError, ConstraintViolationsError, RepairRefusedError, type ViolationsFound } from './errors.js'
import { sampleColumns } from './find-violations.js'
import { comparedByKey, type KeyComparisons } from './key-comparisons.js'
import { lowerKey, repairColumns, sameValues, violationPredicate } from './violation.js'

/** How the rows that violate a constraint are repaired. */
export interface RepairPlan {
  readonly updateName: string
  readonly constraintName: string
  readonly constraint: Constraint
  /** Of a foreign key. */
  readonly comparisons: KeyComparisons
  readonly onViolation: Exclude<OnViolation, 'report'>
  /** Infinity sets no limit. */
  readonly maxViolations: number
  readonly allowCascade: boolean
  readonly walk: WalkPlan
  readonly keeping: Keeping | null
  readonly relation: PostgresRelation
}

const SAMPLES = 5

/**
 * Repairs the violating rows of one range; resolves to how many. `repairedBefore` counts towards the limit.
 *
 * @throws ConstraintViolationsError when that would be more than `maxViolations`
 * @throws CascadeRefusedError when rows that nobody spoke of would go too
 * @throws RepairRefusedError when another constraint forbids the repair
 */
export async function repairRange(
  query: Query,
  plan: RepairPlan,
  range: KeyRange,
  repairedBefore: number,
): Promise<number> {
  return withAllRowsVisible(query, async () => {
    const violators = await lockViolators(query, plan, range)
    if (violators === null) return 0
    if (plan.maxViolations - repairedBefore < range.rows) await refuseTooMany(query, plan, violators, repairedBefore)
    if (!plan.allowCascade) await refuseCascades(query, plan, violators)
    const repaired = await change(query, plan, violators).catch((error: unknown) => {
      if (classifyError(error) !== 'integrity') throw error
      throw new RepairRefusedError(plan.constraintName, plan.walk.table.name, plan.onViolation, error)
    })
    // An expression may say something else each time it is asked: then the batch is rolled back.
    const count = repairedBefore + repaired
    if (count > plan.maxViolations) throw tooMany(plan, count, [])
    return repaired
  })
}

// Hidden rows of the parent would make every child an orphan: with row_security off, a policy is an error instead.
async function withAllRowsVisible<T>(query: Query, work: () => Promise<T>): Promise<T> {
  const { rows } = await query<{ setting: string }>(`SELECT current_setting('row_security') AS setting`)
  await query(`SELECT set_config('row_security', 'off', true)`)
  const result = await work()
  await query(`SELECT set_config('row_security', $1, true)`, [rows[0]?.setting ?? 'on'])
  return result
}

/** The rows of a range that violate the constraint. */
export function violatorsIn(plan: RepairPlan, range: KeyRange): SqlPart {
  const { table, key } = plan.walk
  const { sql, values } = range.predicate({ alias: table.name })
  const violation = violationPredicate(plan.constraint, {
    dialect: 'postgres',
    row: table.name,
    table,
    key: key.columns.map((column) => column.name),
    comparisons: plan.comparisons,
  })
  return { sql: `${sql} AND ${violation}`, values }
}

/**
 * A statement that had to wait for a row judges its new version by a parent as it was before: it could delete a row
 * that somebody had just given a parent. So the rows are locked first, and judged by the next statement, which sees
 * everything that was committed until then. Only they: a row that began to violate it since then is locked by nobody, nor
 * is the duplicate that would stay in its place, and what refers to it wasn't looked at. Null when there is none.
 */
async function lockViolators(query: Query, plan: RepairPlan, range: KeyRange): Promise<SqlPart | null> {
  const { constraint, walk } = plan
  const row = quoteIdentifier(walk.table.name, 'postgres')
  let source = walk.tableSql
  let condition = violatorsIn(plan, range)
  if (constraint.kind === 'unique') {
    // The row that stays too: otherwise it could be deleted meanwhile, and none would be left.
    const earlier = '"evenkeel_earlier"'
    const key = walk.key.columns.map((column) => column.name)
    source = `${walk.tableSql} JOIN ${walk.tableSql} AS ${earlier}
        ON ${sameValues(constraint, earlier, row, 'postgres')} AND ${lowerKey(key, earlier, row, 'postgres')}`
    condition = range.predicate({ alias: walk.table.name })
  }
  const { rows } = await query<{ tables: string | null; places: string | null }>(
    `
    WITH evenkeel_locked AS MATERIALIZED (
      SELECT ${row}.tableoid AS relation, ${row}.ctid AS place
      FROM ${source}
      WHERE ${condition.sql}
      FOR UPDATE
    )
    SELECT array_agg(relation)::text AS tables, array_agg(place)::text AS places
    FROM evenkeel_locked`,
    condition.values,
  )
  const [locked] = rows
  if (locked?.places == null) return null
  const violators = violatorsIn(plan, range)
  const [tables, places] = [violators.values.length + 1, violators.values.length + 2]
  return {
    sql: `${violators.sql}
      AND (${row}.tableoid, ${row}.ctid) IN (SELECT * FROM unnest($${tables}::text::oid[], $${places}::text::tid[]))`,
    values: [...violators.values, locked.tables, locked.places],
  }
}

async function refuseTooMany(query: Query, plan: RepairPlan, violators: SqlPart, before: number): Promise<void> {
  const { walk } = plan
  const { rows } = await query<{ found: number }>(
    `
    SELECT count(*)::float8 AS found
    FROM ${walk.tableSql}
    WHERE ${violators.sql}`,
    violators.values,
  )
  const count = before + (rows[0]?.found ?? 0)
  if (count > plan.maxViolations) throw tooMany(plan, count, await sample(query, plan, violators))
}

function tooMany(
  { constraintName, walk, maxViolations }: RepairPlan,
  count: number,
  samples: ViolationsFound['samples'],
): ConstraintViolationsError {
  return new ConstraintViolationsError(constraintName, walk.table.name, { count, samples, limit: maxViolations })
}

async function refuseCascades(query: Query, plan: RepairPlan, violators: SqlPart): Promise<void> {
  for (const foreignKey of await referencingKeys(query, plan.relation.oid)) {
    const action = cascadeOf(foreignKey, plan)
    if (action === null) continue
    const referred = `${violators.sql} AND ${isReferred(plan, foreignKey)}`
    const samples = await sample(query, plan, { sql: referred, values: violators.values })
    if (samples.length === 0) continue
    const by = { foreignKey: foreignKey.name, referencing: foreignKey.table, action }
    throw new CascadeRefusedError(plan.constraintName, plan.walk.table.name, by, samples)
  }
}

// What the repair does to rows that refer to a repaired one, or null.
function cascadeOf({ onDelete, onUpdate, parentColumns }: ReferencingKey, plan: RepairPlan): string | null {
  const { onViolation, constraint } = plan
  if (onViolation === 'delete') return CASCADING[onDelete] === undefined ? null : `ON DELETE ${CASCADING[onDelete]}`
  const isReferredTo = parentColumns.some((column) => repairColumns(constraint).includes(column))
  return !isReferredTo || CASCADING[onUpdate] === undefined ? null : `ON UPDATE ${CASCADING[onUpdate]}`
}

// Of pg_constraint.confdeltype and confupdtype.
const CASCADING: Readonly<Record<string, string>> = { c: 'CASCADE', n: 'SET NULL', d: 'SET DEFAULT' }

function isReferred({ walk }: RepairPlan, foreignKey: ReferencingKey): string {
  const row = quoteIdentifier(walk.table.name, 'postgres')
  const child = '"evenkeel_child"'
  // As the key does: which keys refer to the table is not for the update to choose.
  const matches = foreignKey.comparisons.map((comparison, index) =>
    comparedByKey(
      comparison,
      `${row}.${quoteIdentifier(foreignKey.parentColumns[index] ?? '', 'postgres')}`,
      `${child}.${quoteIdentifier(foreignKey.columns[index] ?? '', 'postgres')}`,
    ),
  )
  // A row that refers to itself goes anyway.
  const other = `(${child}.tableoid, ${child}.ctid) <> (${row}.tableoid, ${row}.ctid)`
  return `EXISTS (
      SELECT 1
      FROM ${quoteTable({ schema: foreignKey.schema, name: foreignKey.table }, 'postgres')} AS ${child}
      WHERE ${[...matches, other].join(' AND ')}
    )`
}

async function change(query: Query, plan: RepairPlan, violators: SqlPart): Promise<number> {
  const { walk, keeping, constraint } = plan
  if (plan.onViolation === 'delete') {
    const work = `validateConstraintAndRepair "${plan.updateName}"`
    if (keeping !== null) return movePostgresRows(query, walk, keeping, violators, work)
    const deleted = await query(`DELETE FROM ${walk.tableSql} WHERE ${violators.sql}`, violators.values)
    return deleted.rowCount
  }
  const columns = repairColumns(constraint)
  if (typeof columns === 'string') throw new TypeError(columns)
  const assignments = columns.map((column) => `${quoteIdentifier(column, 'postgres')} = NULL`)
  const updated = await query(
    `
    UPDATE ${walk.tableSql}
    SET ${assignments.join(', ')}
    WHERE ${violators.sql}`,
    violators.values,
  )
  return updated.rowCount
}

async function sample(query: Query, { walk, constraint }: RepairPlan, where: SqlPart) {
  const { rows } = await query(
    `
    SELECT ${sampleColumns(walk.table, constraint, walk.table.name)}
    FROM ${walk.tableSql}
    WHERE ${where.sql}
    LIMIT ${SAMPLES}`,
    where.values,
  )
  return rows
}
