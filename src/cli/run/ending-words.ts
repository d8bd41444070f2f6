import type { HistoryEntry } from '../../queue/history.js'
import { formatAmount, formatMs } from '../output/format.js'
import { firstLine } from '../output/update-words.js'

/** How an update ended and what it did, in words. */
export function endingWords(entry: HistoryEntry): string {
  if (entry.outcome !== 'completed') return `${entry.outcome}${reasonOf(entry)}`
  const rows = entry.items > 0 ? `${formatAmount(entry.items, 'row', 'rows')} in ` : ''
  // A one-shot is one batch; that word would tell nothing.
  const batches = entry.batches > 1 ? `${formatAmount(entry.batches, 'batch', 'batches')}, ` : ''
  return `completed, ${rows}${batches}${formatMs(entry.busyMs)} of work`
}

function reasonOf({ finishedBy, reason, outcome }: HistoryEntry): string {
  const by = finishedBy === null || outcome === 'not applicable' ? '' : ` by ${finishedBy}`
  return `${by}${reason === null ? '' : `: ${firstLine(reason)}`}`
}
