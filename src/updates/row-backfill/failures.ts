import { databaseErrorCode } from '../../databases/error-class.js'
import { tableLabel } from '../../databases/identifier.js'
import { EvenkeelError } from '../../errors.js'
import type { EncodedKey } from '../../keyset/encoding.js'
import type { WalkPlan } from '../../keyset/walk.js'
import { keyLabel } from '../walk/progress.js'
import { messageOf } from '../../thrown.js'

/** A row that could not be handled, and why. */
export interface RowFailure {
  readonly key: EncodedKey
  readonly error: unknown
}

/** A row failed, and no more rows may be set aside (`maxQuarantined`). The batch was rolled back. */
export class RowFailedError extends EvenkeelError {
  /** The key of the row as JSON, one value for each key column. */
  readonly key: EncodedKey

  constructor(updateName: string, plan: WalkPlan, { key, error }: RowFailure, maxQuarantined: number) {
    super(
      'ROW_FAILED',
      `rowBackfill "${updateName}": the row ${keyLabel(plan, key)} failed: ${messageOf(error)}` +
        (maxQuarantined > 0 ? ` (more than ${maxQuarantined} rows would be in quarantine)` : ''),
      {
        hint: 'Mend the row or `map`, then retry the update; or raise `maxQuarantined` to set such rows aside.',
        cause: error,
        permanent: true,
      },
    )
    this.key = key
  }
}

/**
 * Rows that were read and locked weren't found when they were written: their keys don't come back as they were read, so
 * that what `map` made of them would be lost. The batch was rolled back.
 */
export class RowsNotWrittenError extends EvenkeelError {
  /** How many rows of the batch's statement weren't found. */
  readonly lost: number

  constructor(updateName: string, { table }: WalkPlan, lost: number, sent: number) {
    super(
      'ROWS_NOT_WRITTEN',
      `rowBackfill "${updateName}": ${lost} of ${sent} rows of table ${tableLabel(table)} were not found by their key`,
      {
        hint:
          'Nothing of the batch was written. Walk by another key: the values of this one change on the way to the ' +
          'client and back, as float8 does under extra_float_digits = 0.',
        permanent: true,
      },
    )
    this.lost = lost
  }
}

/** `map` or `mapBatch` returned something that isn't a change of a row. */
export class MapResultError extends EvenkeelError {
  constructor(updateName: string, reason: string) {
    super('INVALID_MAP_RESULT', `rowBackfill "${updateName}": ${reason}`, {
      hint: 'Return an object of column → value for a row, or nothing to leave it; from mapBatch an array of them, one a row.',
      permanent: true,
    })
  }
}

// Classes of SQLSTATE: data exceptions, integrity constraints, WITH CHECK OPTION, RAISE in a trigger.
const ROWS_OWN_SQLSTATE = /^(?:22|23|44|P0)/
const ROWS_OWN_SQLITE_CODE = /^SQLITE_(?:CONSTRAINT|MISMATCH|TOOBIG)/

/** Whether a failed write is a matter of the values written, so that other rows may well be written. */
export function isRowsOwnFailure(error: unknown): boolean {
  const code = databaseErrorCode(error)
  if (code !== null) return ROWS_OWN_SQLSTATE.test(code) || ROWS_OWN_SQLITE_CODE.test(code)
  // A value that can't become a parameter: drivers and our own conversion throw these.
  return error instanceof TypeError || error instanceof RangeError
}
