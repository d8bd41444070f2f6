import { median } from '../measure/summary.js'
import { valuesOf, type Row, type Table } from '../report/table.js'

/**
 * Rows a second against the rise of the foreground's p99 over idle, the gentlest first, for each load of a table. Who
 * is on the frontier has nobody who is both faster and gentler.
 */
export function frontier(table: Table, loads: readonly string[]): Table[] {
  return loads.map((load) => {
    const p99 = `${load}p99`
    const idle = valuesOf(table, 'idle', p99)
    const points = table.rows
      .filter(({ key }) => key !== 'idle')
      .map((row) => ({ row, rise: (row.cells[p99] ?? []).map((each, round) => each / (idle[round] ?? Number.NaN)) }))
      .sort((a, b) => median(a.rise) - median(b.rise))
    const beaten = ({ row, rise }: (typeof points)[number]) =>
      points.some((other) => rateOf(other.row) > rateOf(row) && median(other.rise) < median(rise))
    return {
      id: `${table.id}-frontier${load === '' ? '' : `-${load}`}`,
      title: `The frontier${load === '' ? '' : ` of ${load}`}, ${table.title[0]?.toLowerCase()}${table.title.slice(1)}`,
      notes: ['The gentlest first. On the frontier (1) is whom nobody beats in both.'],
      columns: [
        { key: 'rate', title: 'rows/s', format: 'rows/s' },
        { key: 'rise', title: 'p99 × idle', format: 'ratio' },
        { key: 'frontier', title: 'on the frontier', format: 'count' },
      ],
      rows: points.map((point) => ({
        key: point.row.key,
        title: point.row.title,
        cells: { rate: point.row.cells.rate ?? [], rise: point.rise, frontier: [beaten(point) ? 0 : 1] },
      })),
    }
  })
}

const rateOf = ({ cells }: Row): number => median(cells.rate ?? [])
