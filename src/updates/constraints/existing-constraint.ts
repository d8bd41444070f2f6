import type { PostgresConstraint } from '../../databases/catalogue/constraint.js'
import { findPostgresConstraint } from '../../databases/catalogue/constraint.js'
import { findPostgresRelation, type PostgresRelation } from '../../databases/catalogue/postgres-index.js'
import { describeTable } from '../../databases/catalogue/table.js'
import type { Query } from '../../databases/database.js'
import { databaseErrorCode } from '../../databases/error-class.js'
import { quoteIdentifier, quoteTable, type TableName } from '../../databases/identifier.js'
import { SchemaMismatchError } from '../../errors.js'
import type { Constraint, ForeignKeyConstraint, ReferentialAction } from './constraint.js'
import { constraintClause } from './constraint-sql.js'
import { ConstraintDefinitionError, ConstraintMissingError, ConstraintRefusedError } from './errors.js'

/** Runs `work` in a transaction that is always rolled back: of its own, or a savepoint in one that is open. */
export type Scratch = <T>(query: Query, work: () => Promise<T>) => Promise<T>

/** For a connection in autocommit. */
export const scratchTransaction: Scratch = async (query, work) => {
  await query('BEGIN')
  try {
    return await work()
  } finally {
    await query('ROLLBACK')
  }
}

/** For a connection with an open transaction. */
export const scratchSavepoint: Scratch = async (query, work) => {
  await query('SAVEPOINT evenkeel_scratch')
  try {
    return await work()
  } finally {
    await query('ROLLBACK TO SAVEPOINT evenkeel_scratch')
    await query('RELEASE SAVEPOINT evenkeel_scratch')
  }
}

/** @throws SchemaMismatchError when there is no such table */
export async function requirePostgresTable(query: Query, table: TableName): Promise<PostgresRelation> {
  const found = await findPostgresRelation(query, quoteTable(table, 'postgres'))
  if (found !== null && (found.kind === 'r' || found.kind === 'p')) return found
  // Throws when there is none, and knows which name was probably meant.
  const { schema, name, kind } = await describeTable({ query, dialect: 'postgres' }, table)
  throw new SchemaMismatchError(`${schema}.${name}`, `it is a ${kind}, which can't have a constraint`, 'Name a table.')
}

/** @throws ConstraintMissingError */
export async function requireConstraint(
  query: Query,
  table: PostgresRelation,
  name: string,
): Promise<PostgresConstraint> {
  const found = await findPostgresConstraint(query, table.oid, name)
  if (found === null) throw new ConstraintMissingError(name, table.name)
  return found
}

/** @throws ConstraintDefinitionError when the existing constraint says something else than the one asked for */
export async function requireSameDefinition(
  query: Query,
  table: PostgresRelation,
  existing: PostgresConstraint,
  wanted: Constraint,
  scratch: Scratch,
): Promise<void> {
  if (await hasDefinition(query, table, existing, wanted, scratch)) return
  const clause = constraintClause(wanted, 'postgres')
  throw new ConstraintDefinitionError(existing.name, table.name, existing.definition, clause)
}

/** Whether an existing constraint is what `wanted` would make. */
export async function hasDefinition(
  query: Query,
  table: PostgresRelation,
  existing: PostgresConstraint,
  wanted: Constraint,
  scratch: Scratch,
): Promise<boolean> {
  // From version 18 on a constraint can be there without being enforced.
  if (existing.definition.includes(' NOT ENFORCED')) return false
  switch (wanted.kind) {
    case 'foreignKey':
      return isForeignKey(query, existing, wanted)
    case 'notNull':
      if (existing.kind === 'not null') return sameText(existing.columns, [wanted.column])
      return existing.kind === 'check' && isCheck(query, table, existing, wanted, scratch)
    case 'check':
      return existing.kind === 'check' && isCheck(query, table, existing, wanted, scratch)
    case 'unique':
      return existing.kind === 'unique' && isUnique(existing, wanted.columns)
  }
}

/** An existing constraint as a value, to find the rows that violate it; null for one that has no such value. */
export function constraintOf(existing: PostgresConstraint): Constraint | null {
  const { columns, expression, foreignKey } = existing
  if (existing.kind === 'check' && expression !== null) return { kind: 'check', expression, columns }
  if (existing.kind === 'unique') return { kind: 'unique', columns }
  const [first] = columns
  if (existing.kind === 'not null' && first !== undefined) return { kind: 'notNull', column: first }
  // From version 18 on a key may say PERIOD: then several parents together may cover a row, which = finds in none.
  if (foreignKey === null || foreignKey.match !== 's' || existing.definition.includes(', PERIOD ')) return null
  return {
    kind: 'foreignKey',
    columns: columns.map((own, index) => ({ own, parent: foreignKey.parentColumns[index] ?? '' })),
    references: { schema: foreignKey.parentSchema, name: foreignKey.parentName },
    onDelete: ACTIONS[foreignKey.onDelete] ?? 'no action',
    onUpdate: ACTIONS[foreignKey.onUpdate] ?? 'no action',
    deferrable: existing.deferrable,
  }
}

const ACTIONS: Readonly<Record<string, ReferentialAction>> = {
  a: 'no action',
  r: 'restrict',
  c: 'cascade',
  n: 'set null',
  d: 'set default',
}

async function isForeignKey(query: Query, existing: PostgresConstraint, wanted: ForeignKeyConstraint) {
  const found = constraintOf(existing)
  if (found?.kind !== 'foreignKey') return false
  // ON DELETE SET NULL (column) changes only some of the columns; there is no such value.
  if (/ON DELETE SET (NULL|DEFAULT) \(/.test(existing.definition)) return false
  const parent = await requirePostgresTable(query, wanted.references)
  return (
    parent.oid === existing.foreignKey?.parentOid &&
    sameText(pairsText(found), pairsText(wanted)) &&
    found.onDelete === wanted.onDelete &&
    found.onUpdate === wanted.onUpdate &&
    found.deferrable === wanted.deferrable
  )
}

// The order of the pairs means nothing, but which column refers to which does.
function pairsText({ columns }: ForeignKeyConstraint): string[] {
  return columns.map(({ own, parent }) => JSON.stringify([own, parent])).sort()
}

function isUnique(existing: PostgresConstraint, columns: readonly string[]): boolean {
  const plain = existing.deferrable === null && !existing.definition.startsWith('UNIQUE NULLS NOT DISTINCT')
  const more = / INCLUDE \(| WITHOUT OVERLAPS\)/.test(existing.definition)
  return plain && !more && sameText(existing.columns, columns)
}

// Only PostgreSQL knows that `age>0` and `((age > 0))` are the same: the check is put on an empty copy of the table.
async function isCheck(
  query: Query,
  table: PostgresRelation,
  existing: PostgresConstraint,
  wanted: Constraint,
  scratch: Scratch,
): Promise<boolean> {
  const clause = constraintClause(wanted, 'postgres')
  let refusal: unknown
  for (const { create, copy } of copiesOf(table)) {
    try {
      const made = await scratch(query, async () => {
        await query(`${create} (LIKE ${quoteTable(table, 'postgres')})`)
        await query(`ALTER TABLE ${copy} ADD CONSTRAINT evenkeel_copy ${clause}`)
        const relation = await findPostgresRelation(query, copy)
        return findPostgresConstraint(query, relation?.oid ?? '0', 'evenkeel_copy')
      })
      return made !== null && made.definition === existing.definition
    } catch (error) {
      // 42: the expression, or the right to make a table; everything else says nothing about the constraint.
      if (databaseErrorCode(error)?.startsWith('42') !== true) throw error
      refusal ??= error
    }
  }
  throw new ConstraintRefusedError(existing.name, clause, refusal)
}

function copiesOf(table: PostgresRelation): { readonly create: string; readonly copy: string }[] {
  const own = quoteIdentifier(table.name, 'postgres')
  const inSchema = quoteTable({ schema: table.schema, name: `evenkeel_copy_${table.oid}` }, 'postgres')
  return [
    // A temporary table can have the name of the original, which the expression may use to qualify its columns.
    { create: `CREATE TEMPORARY TABLE ${own}`, copy: `pg_temp.${own}` },
    // Not every role may make temporary tables.
    { create: `CREATE UNLOGGED TABLE ${inSchema}`, copy: inSchema },
  ]
}

function sameText(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, index) => text === other[index])
}
