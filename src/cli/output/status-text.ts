import type { Status, UpdateStatus } from '../../status.js'
import { formatRange, formatRate, formatShare } from './format.js'
import type { Style } from './style.js'
import { tableLines } from './table.js'
import { databaseWords, lastErrorWords, stateWords, updateWords } from './update-words.js'

const COLUMNS = [
  { title: 'update' },
  { title: 'state' },
  { title: 'done', align: 'right' },
  { title: 'rows/s', align: 'right' },
  { title: 'left', align: 'right' },
  { title: 'why' },
] as const

/** The status of all databases as lines for people. */
export function statusLines(status: Status, style: Style): string[] {
  const lines: string[] = []
  for (const [name, database] of Object.entries(status.databases)) {
    if (lines.length > 0) lines.push('')
    lines.push(`${style.bold(name)} · ${databaseWords(database, style)}`)
    if (database.updates.length === 0) continue
    const [titles = '', ...rows] = tableLines(
      COLUMNS,
      database.updates.map((update) => cells(update, style)),
    )
    lines.push(`  ${style.dim(titles)}`)
    database.updates.forEach((update, index) => {
      lines.push(`  ${rows[index] ?? ''}`)
      const error = lastErrorWords(update)
      if (error !== null) lines.push(`    ${style.red('last error')}: ${error}`)
    })
  }
  return lines
}

function cells(update: UpdateStatus, style: Style): string[] {
  return [
    update.name,
    stateWords(update, style),
    update.fraction === null ? '' : formatShare(update.fraction),
    update.itemsPerSecond === null ? '' : formatRate(update.itemsPerSecond),
    update.etaSeconds === null ? '' : formatRange(update.etaSeconds),
    updateWords(update),
  ]
}
