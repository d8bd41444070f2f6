import type { HistoryEntry } from '../../queue/history.js'
import { formatCount, formatMs } from './format.js'
import type { Style } from './style.js'
import { tableLines } from './table.js'
import { firstLine } from './update-words.js'

const COLUMNS = [
  { title: 'finished (UTC)' },
  { title: 'update' },
  { title: 'outcome' },
  { title: 'items', align: 'right' },
  { title: 'batches', align: 'right' },
  { title: 'busy', align: 'right' },
  { title: 'failures', align: 'right' },
  { title: 'by' },
] as const

/** What has left the queues, newest first, as lines for people. */
export function historyLines(databases: Readonly<Record<string, readonly HistoryEntry[]>>, style: Style): string[] {
  const lines: string[] = []
  for (const [name, entries] of Object.entries(databases)) {
    if (lines.length > 0) lines.push('')
    lines.push(`${style.bold(name)} · ${entries.length === 0 ? 'nothing has finished yet' : 'newest first'}`)
    if (entries.length === 0) continue
    const [titles = '', ...rows] = tableLines(
      COLUMNS,
      entries.map((entry) => cells(entry, style)),
    )
    lines.push(`  ${style.dim(titles)}`, ...rows.map((row) => `  ${row}`))
  }
  return lines
}

function cells(entry: HistoryEntry, style: Style): string[] {
  const outcome = entry.outcome === 'completed' ? style.green(entry.outcome) : style.yellow(entry.outcome)
  const said = [entry.finishedBy, entry.reason === null ? null : firstLine(entry.reason)]
  return [
    entry.finishedAt.slice(0, 19).replace('T', ' '),
    entry.name,
    outcome,
    formatCount(entry.items),
    formatCount(entry.batches),
    formatMs(entry.busyMs),
    formatCount(entry.failures),
    said.filter((text) => text !== null).join(': '),
  ]
}
