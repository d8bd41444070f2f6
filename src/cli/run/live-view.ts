import type { HistoryEntry } from '../../queue/history.js'
import type { DatabaseStatus } from '../../status.js'
import type { BackgroundUpdater } from '../../updater.js'
import type { Output } from '../output/output.js'
import { Screen } from '../output/screen.js'
import { databaseWords } from '../output/update-words.js'
import { FinishedUpdates } from './finished-updates.js'
import { finishedLine, liveLine, type BatchNow } from './live-line.js'
import type { RunView } from './run-view.js'

const DRAW_MS = 100
const MAX_NAME_WIDTH = 32

interface Shown {
  readonly updater: BackgroundUpdater<never>
  readonly finished: FinishedUpdates
  status: DatabaseStatus | null
  /** The batch that runs now or ran last, by update. */
  readonly batches: Map<string, BatchNow>
  /** Ended here, and still in the status that was read last. */
  readonly ended: Set<string>
}

/** One line an update, drawn over while it changes; an update that has ended leaves its line above. */
export class LiveView implements RunView {
  readonly lookMs = 250
  readonly #output: Output
  readonly #screen: Screen
  readonly #databases = new Map<string, Shown>()
  readonly #timer: NodeJS.Timeout
  // Invariant: as wide as the longest name so far, within bounds; what was left above stays in line.
  #nameWidth = 0

  constructor(output: Output) {
    this.#output = output
    this.#screen = new Screen(output)
    this.#timer = setInterval(() => this.#draw(), DRAW_MS)
    this.#timer.unref()
  }

  watch(updater: BackgroundUpdater<never>): void {
    const shown: Shown = {
      updater,
      finished: new FinishedUpdates(updater),
      status: null,
      batches: new Map(),
      ended: new Set(),
    }
    this.#databases.set(updater.databaseName, shown)
    updater.on('batch:start', ({ updateName, batchSize, targetMs }) => {
      const before = shown.batches.get(updateName)
      const startedMs = performance.now()
      shown.batches.set(updateName, { batchSize, targetMs, startedMs, durationMs: before?.durationMs ?? null })
      // A driver that blocks the event loop lets nobody draw before its statement has ended: say what begins.
      if (before === undefined) this.#draw()
    })
    updater.on('batch:success', ({ updateName, durationMs }) => {
      const now = shown.batches.get(updateName)
      if (now) shown.batches.set(updateName, { ...now, durationMs, startedMs: null })
    })
    updater.on('update:complete', ({ updateName }) => shown.ended.add(updateName))
    updater.on('batch:failure', ({ updateName }) => shown.batches.delete(updateName))
  }

  async look(databaseName: string, status: DatabaseStatus): Promise<void> {
    const shown = this.#databases.get(databaseName)
    if (!shown) return
    await shown.finished.look()
    shown.status = status
    for (const entry of shown.finished.take()) this.#leave(shown, entry)
    this.#draw()
  }

  log(line: string): void {
    this.#screen.above(line)
  }

  end(): void {
    clearInterval(this.#timer)
    this.#draw()
    this.#screen.end()
  }

  #leave(shown: Shown, entry: HistoryEntry): void {
    shown.batches.delete(entry.name)
    shown.ended.delete(entry.name)
    this.#screen.above(finishedLine(entry, this.#nameWidth, this.#output.style))
  }

  #draw(): void {
    const { style } = this.#output
    const lines: string[] = []
    for (const [databaseName, { status, batches, ended, updater }] of this.#databases) {
      if (status === null) continue
      for (const { name } of status.updates) {
        this.#nameWidth = Math.min(MAX_NAME_WIDTH, Math.max(this.#nameWidth, name.length))
      }
      // With one database its name would say nothing; but a switch that is off, or an empty queue, must be seen.
      if (this.#databases.size > 1 || status.status === 'DISABLED' || status.updates.length === 0) {
        lines.push(`${style.bold(databaseName)} · ${databaseWords(status, style)}`)
      }
      for (const update of status.updates) {
        lines.push(
          liveLine(update, {
            ended: ended.has(update.name),
            batch: batches.get(update.name) ?? null,
            ours: update.owner === updater.owner,
            nameWidth: this.#nameWidth,
            style,
            nowMs: performance.now(),
          }),
        )
      }
    }
    this.#screen.draw(lines)
  }
}
