import type { HistoryEntry } from '../../queue/history.js'
import type { UpdateStatus } from '../../status.js'
import { formatCount, formatMs, formatRange, formatRate, formatSeconds, formatShare } from '../output/format.js'
import { cutToWidth, padStartToWidth, padToWidth, type Style } from '../output/style.js'
import { firstLine, laneWords } from '../output/update-words.js'
import { endingWords } from './ending-words.js'

/** The batch of an update that runs now, or ran last. */
export interface BatchNow {
  readonly batchSize: number
  readonly targetMs: number
  /** Null when it has ended. */
  readonly startedMs: number | null
  /** How long the last one that ended took; null before. */
  readonly durationMs: number | null
}

export interface LineContext {
  /** It has ended, and the status is a moment old. */
  readonly ended: boolean
  readonly batch: BatchNow | null
  /** This process runs it. */
  readonly ours: boolean
  readonly nameWidth: number
  readonly style: Style
  readonly nowMs: number
}

const BAR_WIDTH = 20

/** One update in one line. */
export function liveLine(update: UpdateStatus, context: LineContext): string {
  const { style, nameWidth } = context
  const name = padToWidth(cutToWidth(update.name, nameWidth), nameWidth)
  if (context.ended) return `${style.green('✓')} ${name}  ${style.dim('completed')}`
  if (update.state === 'failed') return `${style.red('✗')} ${name}  ${style.red(reasonOf(update))}`
  if (update.state === 'paused') return `${style.yellow('‖')} ${name}  ${style.yellow(reasonOf(update))}`
  const begun = update.batches > 0 || update.state === 'running' || context.batch !== null
  if (!begun) return style.dim(`· ${name}  ${reasonOf(update)}`)
  return `${style.cyan('▸')} ${name}  ${parts(update, context).join('  ')}`
}

/** An update that has left the queue; the line stays. */
export function finishedLine(entry: HistoryEntry, nameWidth: number, style: Style): string {
  const mark = entry.outcome === 'completed' ? style.green('✓') : style.yellow('–')
  return `${mark} ${padToWidth(entry.name, nameWidth)}  ${style.dim(endingWords(entry))}`
}

function parts(update: UpdateStatus, context: LineContext): string[] {
  const { style, batch } = context
  const shown = [bar(update.fraction, style), padStartToWidth(share(update.fraction), 6)]
  if (update.oneShot) {
    shown.push(update.phase ?? 'one statement')
    if (batch?.startedMs != null) shown.push(style.dim(formatSeconds((context.nowMs - batch.startedMs) / 1_000)))
    if (update.detail !== null) shown.push(style.dim(firstLine(update.detail)))
  } else {
    if (update.phase !== null && update.phase !== 'walk') shown.push(update.phase)
    if (update.itemsPerSecond !== null) shown.push(`${padStartToWidth(formatRate(update.itemsPerSecond), 5)} rows/s`)
    if (update.etaSeconds !== null) shown.push(`${formatRange(update.etaSeconds)} left`)
    if (update.lanes.length > 0) shown.push(laneWords(update))
    const words = batchWords(update, batch)
    if (words !== null) shown.push(style.dim(words))
  }
  // What another process runs is held from here; that is no reason to worry about.
  if (update.state === 'running' && !context.ours && update.owner !== null)
    shown.push(style.dim(`run by ${update.owner}`))
  // The status is a moment old: what has a batch here waits for nobody any more.
  else if (update.waiting !== null && (batch === null || update.waiting.code !== 'waits_for'))
    shown.push(style.yellow(reasonOf(update)))
  if (update.lastError !== null && update.waiting?.code === 'backs_off')
    shown.push(style.red(firstLine(update.lastError)))
  return shown
}

function batchWords(update: UpdateStatus, batch: BatchNow | null): string | null {
  const size = batch?.batchSize ?? update.batchSize
  if (size === null) return null
  const words = `batch ${padStartToWidth(formatCount(size), 6)}`
  if (batch === null || batch.durationMs === null) return words
  return `${words}, ${padStartToWidth(formatMs(batch.durationMs), 6)} (target ${formatMs(batch.targetMs)})`
}

function bar(fraction: number | null, style: Style): string {
  if (fraction === null) return style.dim('░'.repeat(BAR_WIDTH))
  const full = Math.min(Math.floor(fraction * BAR_WIDTH), BAR_WIDTH)
  return style.green('█'.repeat(full)) + style.dim('░'.repeat(BAR_WIDTH - full))
}

function share(fraction: number | null): string {
  return fraction === null ? '' : formatShare(fraction)
}

function reasonOf({ waiting }: UpdateStatus): string {
  return firstLine(waiting?.text ?? '')
}
