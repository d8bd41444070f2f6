import { EvenkeelError } from '../../../errors.js'
import { messageOf } from '../../../thrown.js'

/** The SQL of a table can't be read, so no constraint can be put into it. */
export class UnreadableTableSqlError extends EvenkeelError {
  /** The text that could not be read. */
  readonly sql: string

  constructor(sql: string, reason: string) {
    super('UNREADABLE_TABLE_SQL', `the SQL of the table can't be used: ${reason}: ${shortened(sql)}`, {
      hint: 'Give the whole new `CREATE TABLE` in the option `newTableSql`. Nothing was changed.',
      permanent: true,
    })
    this.sql = sql
  }
}

/** `PRAGMA foreign_keys` did not take, so a rebuild could delete the rows of child tables. */
export class ForeignKeysStillOnError extends EvenkeelError {
  constructor(table: string) {
    super('FOREIGN_KEYS_STILL_ON', `foreign keys could not be switched off before table "${table}" is rebuilt`, {
      hint:
        'SQLite ignores PRAGMA foreign_keys inside a transaction: call it outside of any. With foreign keys on, the ' +
        'rebuild would delete child rows. Nothing was changed.',
      permanent: true,
    })
  }
}

/** The rebuild was called while the connection has a transaction open. */
export class RebuildInsideTransactionError extends EvenkeelError {
  constructor(table: string, cause: unknown) {
    super('REBUILD_INSIDE_TRANSACTION', `table "${table}" can't be rebuilt inside a transaction`, {
      hint: "Call it outside of any transaction: foreign keys can't be switched off inside one. Nothing was changed.",
      permanent: true,
      cause,
    })
  }
}

/** `PRAGMA foreign_keys` could not be set back to what it was. */
export class PragmaNotRestoredError extends EvenkeelError {
  constructor(pragma: string, wanted: number, cause?: unknown) {
    super('PRAGMA_NOT_RESTORED', `PRAGMA ${pragma} could not be set back to ${wanted}`, {
      hint: 'Close this connection and open a new one: the pragma belongs to the connection alone.',
      permanent: true,
      cause,
    })
  }
}

/** What was asked for can't be done to this table. */
export class NotRebuildableError extends EvenkeelError {
  constructor(table: string, reason: string, hint: string) {
    super('NOT_REBUILDABLE', `table "${table}" can't be rebuilt: ${reason}`, { hint, permanent: true })
  }
}

/** Rows that still violate the constraint after they were repaired as `onViolation` says. */
export class RepairHadNoEffectError extends EvenkeelError {
  constructor(constraint: string, table: string, count: number) {
    super(
      'REPAIR_HAD_NO_EFFECT',
      `${count} rows of table "${table}" violate constraint "${constraint}" also when their columns are NULL`,
      {
        hint: "Choose onViolation 'delete', or mend the rows yourself. Nothing was changed.",
        permanent: true,
      },
    )
  }
}

/** One row whose parent would be missing. */
export interface OrphanedRow {
  readonly table: string
  /** Null in a WITHOUT ROWID table. */
  readonly rowid: number | null
  readonly parent: string
}

/** After the change rows would have no parent; it was rolled back. */
export class OrphanedRowsError extends EvenkeelError {
  readonly count: number
  /** The first of them. */
  readonly samples: readonly OrphanedRow[]

  constructor(table: string, count: number, samples: readonly OrphanedRow[]) {
    const named = samples.map(
      (row) => `${row.table} (rowid ${row.rowid ?? 'none'}) without its parent in ${row.parent}`,
    )
    super(
      'ORPHANED_ROWS',
      `the change of table "${table}" would leave ${count} rows without a parent: ${named.join(', ')}`,
      {
        hint:
          'Delete or re-assign these rows first: a rebuild never deletes child rows. `PRAGMA foreign_key_check` lists all ' +
          'of them. Nothing was changed.',
        permanent: true,
      },
    )
    this.count = count
    this.samples = samples
  }
}

/** A foreign key that SQLite itself can't use: its parent columns are no unique key, or don't exist. */
export class ParentKeyError extends EvenkeelError {
  constructor(child: string, reason: string, cause?: unknown) {
    super('PARENT_KEY', `a foreign key of table "${child}" can't be used: ${reason}`, {
      hint: 'The parent columns must be the primary key or a UNIQUE key of an existing table. Nothing was changed.',
      permanent: true,
      cause,
    })
  }
}

/** A statement of the rebuild failed; it was rolled back. */
export class RebuildFailedError extends EvenkeelError {
  constructor(table: string, cause: unknown) {
    const reason = messageOf(cause)
    super('REBUILD_FAILED', `the rebuild of table "${table}" failed and was rolled back: ${reason}`, {
      hint: 'Nothing was changed. Mend the cause, then try again.',
      cause,
    })
  }
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
