import { formatValues, type Format } from './format.js'

/** A column of measured values. */
export interface Column {
  readonly key: string
  readonly title: string
  readonly format: Format
}

/** What one contestant reached: for every column its value in each repetition. */
export interface Row {
  readonly key: string
  readonly title: string
  readonly cells: Readonly<Record<string, readonly number[]>>
}

/** A table of a report. JSON keeps it as it is; people see medians with their spread. */
export interface Table {
  readonly id: string
  readonly title: string
  /** How it was measured, and what limits it. */
  readonly notes: readonly string[]
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
}

/** The table in Markdown, with its title and notes; padded, so that it reads well on a screen too. */
export function tableText(table: Table, { level = 3 }: { readonly level?: number } = {}): string {
  const lines = [['', ...table.columns.map(({ title }) => title)], ...table.rows.map((row) => cellsOf(row, table))]
  const widths = (lines[0] ?? []).map((_, column) => Math.max(3, ...lines.map((line) => line[column]?.length ?? 0)))
  const text = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => pad(cell, widths[column] ?? 0, column > 0)).join(' | ')} |`
  const rule = `| ${widths.map((width, column) => (column > 0 ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')} |`
  const notes = table.notes.length === 0 ? [] : [table.notes.join(' '), '']
  const [head = [], ...body] = lines
  return [`${'#'.repeat(level)} ${table.title}`, '', ...notes, text(head), rule, ...body.map(text)].join('\n')
}

/** The values of a cell; none when the row has no such cell. */
export function valuesOf(table: Table | undefined, row: string, column: string): readonly number[] {
  return table?.rows.find(({ key }) => key === row)?.cells[column] ?? []
}

function cellsOf(row: Row, { columns }: Table): string[] {
  return [row.title, ...columns.map(({ key, format }) => formatValues(row.cells[key] ?? [], format))]
}

function pad(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width)
}
