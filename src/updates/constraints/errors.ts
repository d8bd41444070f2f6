import { EvenkeelError } from '../../errors.js'
import { messageOf } from '../../thrown.js'

/** A constraint of this name is there, but it says something else. It was left as it is. */
export class ConstraintDefinitionError extends EvenkeelError {
  /** The constraint that is there. */
  readonly existing: string
  /** The constraint that was asked for. */
  readonly expected: string

  constructor(constraint: string, table: string, existing: string, expected: string) {
    super(
      'CONSTRAINT_DEFINITION',
      `constraint "${constraint}" of table "${table}" exists with another definition: ${existing}; asked for: ${expected}`,
      {
        hint:
          'It was not touched. Correct the definition of the update, give the new constraint another name, or drop ' +
          'the old one yourself.',
        permanent: true,
      },
    )
    this.existing = existing
    this.expected = expected
  }
}

/** The constraint that is to be validated isn't there. */
export class ConstraintMissingError extends EvenkeelError {
  constructor(constraint: string, table: string) {
    super('CONSTRAINT_MISSING', `table "${table}" has no constraint "${constraint}"`, {
      hint: 'Add it first: addConstraint() adds it and enqueues the update in one transaction. Then retry the update.',
      permanent: true,
    })
  }
}

/** Some of the rows that violate a constraint: enough to find them. */
export interface ViolationsFound {
  /** How many rows violate it; null where they were not counted. */
  readonly count: number | null
  /** The first of them. */
  readonly samples: readonly Readonly<Record<string, unknown>>[]
  /** The limit that they exceed, when that is why the update failed. */
  readonly limit?: number
  /** What to do about them, and what was left behind. */
  readonly hint?: string
}

/** Rows violate the constraint, and nobody said that they may be repaired, or there are more than `maxViolations`. */
export class ConstraintViolationsError extends EvenkeelError {
  readonly count: number | null
  readonly samples: readonly Readonly<Record<string, unknown>>[]

  constructor(constraint: string, table: string, found: ViolationsFound, cause?: unknown) {
    const { count, samples, limit, hint } = found
    const rows = count === null ? 'rows' : count === 1 ? '1 row' : `${count} rows`
    const over = limit === undefined ? '' : `, more than maxViolations (${limit})`
    super(
      'CONSTRAINT_VIOLATIONS',
      `${rows} of table "${table}" ${count === 1 ? 'violates' : 'violate'} constraint "${constraint}"${over}${samplesText(samples)}`,
      {
        hint:
          limit === undefined
            ? (hint ??
              "Mend these rows, or have them repaired: onViolation 'delete' (with keepIn, if they are to be kept) or " +
                "'null'; then try again. Nothing was changed.")
            : 'Look at these rows; then mend them or raise maxViolations, and retry. No row over the limit was changed.',
        permanent: true,
        cause,
      },
    )
    this.count = count
    this.samples = samples
  }
}

/** Every row was looked at, none was left to repair, and still the database says that rows violate the constraint. */
export class RepairIncompleteError extends EvenkeelError {
  readonly samples: readonly Readonly<Record<string, unknown>>[]

  constructor(
    constraint: string,
    table: string,
    samples: readonly Readonly<Record<string, unknown>>[],
    cause: unknown,
  ) {
    super(
      'REPAIR_INCOMPLETE',
      `constraint "${constraint}" of table "${table}" can't be validated although a walk of the whole table found ` +
        `nothing more to repair: ${messageOf(cause)}${samplesText(samples)}`,
      {
        hint:
          'Look at these rows: a trigger may undo the repair, or row-level security may hide rows from this role. ' +
          'Mend them, then retry the update.',
        permanent: true,
        cause,
      },
    )
    this.samples = samples
  }
}

/** The database refused to delete or change a row that violates the constraint. */
export class RepairRefusedError extends EvenkeelError {
  constructor(constraint: string, table: string, repair: string, cause: unknown) {
    super(
      'REPAIR_REFUSED',
      `rows of table "${table}" that violate constraint "${constraint}" can't be repaired by onViolation '${repair}': ` +
        messageOf(cause),
      {
        hint: 'Mend these rows yourself or choose another onViolation; then retry the update. This batch changed nothing.',
        permanent: true,
        cause,
      },
    )
  }
}

/** Repairing the violating rows would delete or change rows that refer to them. */
export class CascadeRefusedError extends EvenkeelError {
  constructor(
    constraint: string,
    table: string,
    by: { readonly foreignKey: string; readonly referencing: string; readonly action: string },
    samples: readonly Readonly<Record<string, unknown>>[],
  ) {
    super(
      'CASCADE_REFUSED',
      `rows of table "${by.referencing}" refer to rows of table "${table}" that violate constraint "${constraint}", ` +
        `and foreign key "${by.foreignKey}" (${by.action}) would change them too${samplesText(samples)}`,
      {
        hint:
          'Mend these rows or the rows that refer to them, choose another onViolation, or say allowCascade: true if they ' +
          'are to go or change too; then retry the update. This batch changed nothing.',
        permanent: true,
      },
    )
  }
}

/** The database refuses the constraint as it is defined. */
export class ConstraintRefusedError extends EvenkeelError {
  constructor(constraint: string, sql: string, cause: unknown) {
    super('CONSTRAINT_REFUSED', `the database refuses constraint "${constraint}": ${messageOf(cause)} (${sql})`, {
      hint: 'Correct the definition of the constraint or the rights of the user. Nothing was changed.',
      permanent: true,
      cause,
    })
  }
}

/** The lock for a change of the schema could not be had soon enough; waiting longer would hold up everybody else. */
export class LockNotAvailableError extends EvenkeelError {
  constructor(subject: string, tries: number, lockTimeoutMs: number, hint: string, cause: unknown) {
    super(
      'LOCK_NOT_AVAILABLE',
      `${subject}: the lock was not to be had within ${lockTimeoutMs} ms` + (tries > 1 ? ` in ${tries} tries` : ''),
      { hint, cause },
    )
  }
}

const LONGEST_SAMPLE = 200

function samplesText(samples: readonly Readonly<Record<string, unknown>>[]): string {
  if (samples.length === 0) return ''
  return `; for instance ${samples.map((sample) => shortened(rowText(sample))).join(', ')}`
}

function rowText(row: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(row, (_key, value: unknown) => {
    if (typeof value === 'bigint') return value.toString()
    return value instanceof Uint8Array ? `x'${Buffer.from(value).toString('hex')}'` : value
  })
}

function shortened(text: string): string {
  return text.length > LONGEST_SAMPLE ? `${text.slice(0, LONGEST_SAMPLE)}…` : text
}
