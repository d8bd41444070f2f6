import type { QuarantinedRow } from '../../queue/quarantine.js'
import { formatCount } from './format.js'
import type { Style } from './style.js'
import { tableLines } from './table.js'
import { firstLine } from './update-words.js'

const COLUMNS = [
  { title: 'since (UTC)' },
  { title: 'update' },
  { title: 'key' },
  { title: 'attempts', align: 'right' },
  { title: 'error' },
] as const

/** The rows that were set aside, as lines for people. */
export function quarantineLines(
  databases: Readonly<Record<string, readonly QuarantinedRow[]>>,
  style: Style,
): string[] {
  const lines: string[] = []
  for (const [name, rows] of Object.entries(databases)) {
    if (lines.length > 0) lines.push('')
    lines.push(
      `${style.bold(name)} · ${rows.length === 0 ? 'no row is set aside' : 'in the order they were set aside'}`,
    )
    if (rows.length === 0) continue
    const [titles = '', ...table] = tableLines(COLUMNS, rows.map(cells))
    lines.push(`  ${style.dim(titles)}`, ...table.map((row) => `  ${row}`))
  }
  return lines
}

function cells({ at, update, key, attempts, error }: QuarantinedRow): string[] {
  const since = at.slice(0, 19).replace('T', ' ')
  return [since, update, JSON.stringify(key), formatCount(attempts), firstLine(error)]
}
