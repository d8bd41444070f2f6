import { EvenkeelError } from '../../errors.js'
import { messageOf } from '../../thrown.js'

/** The name of the index is taken: by an index of another table, or by something that is no index. Nothing was dropped. */
export class IndexNameTakenError extends EvenkeelError {
  constructor(index: string, taker: string) {
    super('INDEX_NAME_TAKEN', `the name of index "${index}" is taken by ${taker}`, {
      hint: 'Give the index another name, or rename what has this one; then retry the update. Nothing was dropped.',
      permanent: true,
    })
  }
}

/** A valid index of this name exists, but not with the definition that was asked for. It was left as it is. */
export class IndexDefinitionError extends EvenkeelError {
  /** The definition of the index that is there. */
  readonly existing: string
  /** The definition that was asked for. */
  readonly expected: string

  constructor(index: string, existing: string, expected: string) {
    super('INDEX_DEFINITION', `index "${index}" exists with another definition: ${existing}; asked for: ${expected}`, {
      hint:
        'It was not touched. Build the new one under another name, with `replaces` to drop this one afterwards, ' +
        'or drop it yourself; then retry the update.',
      permanent: true,
    })
    this.existing = existing
    this.expected = expected
  }
}

/** One key that is in more than one row. */
export interface DuplicateKey {
  /** The values of the index's columns as text, long ones cut; null is NULL. */
  readonly key: readonly (string | null)[]
  readonly rows: number
}

/** The index can't be unique: some keys are in more than one row. */
export class DuplicateKeysError extends EvenkeelError {
  /** Keys with the most rows first; only a sample. */
  readonly samples: readonly DuplicateKey[]
  /** How many keys are in more than one row; null when it could not be found out. */
  readonly duplicateKeys: number | null

  constructor(
    index: string,
    table: string,
    found: { readonly samples: readonly DuplicateKey[]; readonly duplicateKeys: number | null },
    cause: unknown,
  ) {
    super('DUPLICATE_KEYS', `index "${index}" can't be unique: ${duplicatesText(table, found)}`, {
      hint: 'Remove or change the duplicate rows, then retry the update. The unfinished index is not left behind.',
      permanent: true,
      cause,
    })
    this.samples = found.samples
    this.duplicateKeys = found.duplicateKeys
  }
}

function duplicatesText(
  table: string,
  found: { readonly samples: readonly DuplicateKey[]; readonly duplicateKeys: number | null },
): string {
  if (found.duplicateKeys === null) return `table "${table}" has keys that are in more than one row`
  const samples = found.samples.map(({ key, rows }) => {
    const values = key.map((value) => (value === null ? 'NULL' : JSON.stringify(value)))
    return `(${values.join(', ')}) in ${rows} rows`
  })
  const more = found.duplicateKeys > found.samples.length ? ', …' : ''
  const keys = found.duplicateKeys === 1 ? '1 key is' : `${found.duplicateKeys} keys are`
  return `in table "${table}" ${keys} in more than one row: ${samples.join(', ')}${more}`
}

/** The index named in `replaces` can't be dropped. */
export class ReplacedIndexError extends EvenkeelError {
  constructor(index: string, reason: string) {
    super('REPLACED_INDEX', `index "${index}" (replaces) can't be dropped: ${reason}`, {
      hint: 'Correct `replaces` or leave it out, then retry the update. Nothing was dropped.',
      permanent: true,
    })
  }
}

/** A partition is a foreign table, which can't have the index, so that the index of the parent could never be valid. */
export class ForeignPartitionError extends EvenkeelError {
  constructor(index: string, table: string, partitions: readonly string[]) {
    super(
      'FOREIGN_PARTITION',
      `index "${index}" can't cover the partitioned table "${table}": foreign tables among its partitions ` +
        `(${partitions.join(', ')}) can't have indexes`,
      {
        hint: 'Detach the foreign partitions, or create an index on each local partition by an update of its own.',
        permanent: true,
      },
    )
  }
}

/** The database refuses the index as it is defined, or can't compute its expressions for the rows that are there. */
export class IndexRefusedError extends EvenkeelError {
  constructor(index: string, sql: string, cause: unknown) {
    super('INDEX_REFUSED', `the database refuses index "${index}": ${messageOf(cause)} (${sql})`, {
      hint: 'Correct the definition of the update, the rights of its user, or the rows; then retry the update.',
      permanent: true,
      cause,
    })
  }
}

/** An index of this name exists, and whether it has the right definition can't be found out. */
export class IndexComparisonError extends EvenkeelError {
  constructor(index: string, reason: string, cause?: unknown) {
    super('INDEX_COMPARISON', `the definition of the existing index "${index}" can't be compared: ${reason}`, {
      hint: 'Give the index another name, or drop the existing one yourself; then retry the update. It was not touched.',
      permanent: true,
      cause,
    })
  }
}
