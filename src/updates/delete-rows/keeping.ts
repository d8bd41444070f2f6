import { cascadesInto, type Cascade } from '../../databases/catalogue/cascades.js'
import { keepsValues } from '../../databases/catalogue/sqlite-affinity.js'
import {
  kindWords,
  type CatalogueReader,
  type TableColumn,
  type TableDescription,
} from '../../databases/catalogue/table-description.js'
import { describeTable } from '../../databases/catalogue/table.js'
import { quoteTable, tableLabel, type TableName } from '../../databases/identifier.js'
import { SchemaMismatchError } from '../../errors.js'

/** Where deleted rows are kept, and which columns are copied there. */
export interface Keeping {
  readonly tableSql: string
  readonly columns: readonly string[]
}

/**
 * Holds the table that is to keep the rows against the one they come from.
 *
 * @throws SchemaMismatchError when a row or a value would be lost or changed
 */
export async function planKeeping(
  reader: CatalogueReader,
  from: TableDescription,
  keepIn: TableName,
): Promise<Keeping> {
  const keep = await describeTable(reader, keepIn)
  await refuseCascades(reader, from, keep, keepIn)
  const columns = keptColumns(from, keep, keepIn)
  await refusePartitions(reader, from, keep, keepIn)
  return { tableSql: quoteTable({ schema: keep.schema, name: keep.name }, keep.dialect), columns }
}

/**
 * The columns that are copied, all that hold a value of their own.
 *
 * @throws SchemaMismatchError when a value would be lost or changed
 */
export function keptColumns(from: TableDescription, keep: TableDescription, keepIn: TableName): string[] {
  const subject = subjectOf(keepIn)
  if (keep.schema === from.schema && keep.name === from.name) {
    throw new SchemaMismatchError(
      subject,
      'it is the table that the rows are deleted from',
      'Name another table in keepIn.',
    )
  }
  if (keep.kind !== 'table' && keep.kind !== 'partitioned table') {
    throw new SchemaMismatchError(subject, `it is ${kindWords(keep)}`, 'Name a table of the same shape in keepIn.')
  }
  const columns: string[] = []
  for (const column of from.columns) {
    const other = keep.columns.find((candidate) => candidate.name === column.name)
    if (other !== undefined && other.generated === null) {
      refuseOtherValues(subject, from, column, keep, other)
      columns.push(column.name)
    } else if (column.generated === null) {
      throw new SchemaMismatchError(
        subject,
        other === undefined ? `it has no column "${column.name}"` : `its column "${column.name}" is generated`,
        `Add the column with type ${column.type || '(none)'}, so that every value is kept.`,
      )
    }
  }
  return columns
}

function refuseOtherValues(
  subject: string,
  from: TableDescription,
  column: TableColumn,
  keep: TableDescription,
  other: TableColumn,
): void {
  const alike =
    keep.dialect === 'sqlite'
      ? keepsValues(column.type, other.type)
      : other.type.toLowerCase() === column.type.toLowerCase()
  if (!alike) {
    throw new SchemaMismatchError(
      subject,
      `its column "${column.name}" is of type ${other.type || '(none)'}, not ${column.type || '(none)'}`,
      'Give the column the same type, so that every value is kept as it is.',
    )
  }
  if (from.strict && !keep.strict && column.type.toLowerCase() === 'any') {
    throw new SchemaMismatchError(
      subject,
      `its column "${column.name}" of type ANY would make a number of text that looks like one, for the table isn't STRICT`,
      'Make the table STRICT, so that every value is kept as it is.',
    )
  }
  const isRowid = keep.primaryKey?.index === null && keep.primaryKey.columns[0] === other.name
  if (isRowid && !column.notNull) {
    throw new SchemaMismatchError(
      subject,
      `its column "${column.name}" is INTEGER PRIMARY KEY, which would make a number of a NULL`,
      'Make it no key there, so that every value is kept as it is.',
    )
  }
}

// Rows that a cascade deletes are not among those that a statement returns.
async function refuseCascades(
  reader: CatalogueReader,
  from: TableDescription,
  keep: TableDescription,
  keepIn: TableName,
): Promise<void> {
  const back = (await cascadesInto(reader, from, from)).find(({ action }) => action === 'CASCADE')
  if (back !== undefined) {
    const parent = back.parent === from.name ? 'itself' : `"${back.parent}"`
    throw new SchemaMismatchError(
      `table ${from.name}`,
      `it refers to ${parent} with ON DELETE CASCADE${goesToo(back, from)}, so rows would be deleted that are not kept`,
      'Make that foreign key ON DELETE NO ACTION, or delete without keepIn.',
    )
  }
  const [kept] = await cascadesInto(reader, from, keep)
  if (kept !== undefined) {
    throw new SchemaMismatchError(
      subjectOf(keepIn),
      `it refers to "${kept.parent}" with ON DELETE ${kept.action}${goesToo(kept, from)}, so rows would be ` +
        `${kept.action === 'CASCADE' ? 'deleted' : 'changed'} as soon as they are kept`,
      'Drop that foreign key, or name another table in keepIn.',
    )
  }
}

// A row would be moved to where it was.
async function refusePartitions(
  { query, dialect }: CatalogueReader,
  from: TableDescription,
  keep: TableDescription,
  keepIn: TableName,
): Promise<void> {
  if (dialect !== 'postgres') return
  const { rows } = await query(
    'SELECT 1 FROM pg_partition_root($1::text::regclass) AS root WHERE root = pg_partition_root($2::text::regclass)',
    [quoteTable(from, 'postgres'), quoteTable(keep, 'postgres')],
  )
  if (rows.length === 0) return
  throw new SchemaMismatchError(
    subjectOf(keepIn),
    `it is of the same partitioned table as ${from.name}, so rows would stay in it`,
    'Name a table of its own in keepIn.',
  )
}

function goesToo({ parent }: Cascade, from: TableDescription): string {
  return parent === from.name ? '' : `, whose rows go with those of "${from.name}"`
}

function subjectOf(keepIn: TableName): string {
  return `table ${tableLabel(keepIn)} (keepIn)`
}
