import { padStartToWidth, padToWidth, visibleWidth } from './style.js'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Rows under titles, in columns as wide as what stands in them, two blanks between; the last column isn't padded. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const all = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_, index) => Math.max(...all.map((row) => visibleWidth(row[index] ?? ''))))
  return all.map((row) =>
    columns
      .map(({ align }, index) => {
        const cell = row[index] ?? ''
        if (align === 'right') return padStartToWidth(cell, widths[index] ?? 0)
        return index === columns.length - 1 ? cell : padToWidth(cell, widths[index] ?? 0)
      })
      .join('  ')
      .trimEnd(),
  )
}
