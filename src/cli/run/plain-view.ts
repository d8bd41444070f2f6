import type { HistoryEntry } from '../../queue/history.js'
import type { Waiting, WaitingCode } from '../../queue/reasons.js'
import type { DatabaseStatus, UpdateStatus } from '../../status.js'
import type { BackgroundUpdater } from '../../updater.js'
import { formatCount, formatMs, formatRange, formatRate, formatShare } from '../output/format.js'
import type { Output } from '../output/output.js'
import { firstLine } from '../output/update-words.js'
import type { RunView } from './run-view.js'
import { endingWords } from './ending-words.js'
import { FinishedUpdates } from './finished-updates.js'

const PROGRESS_MS = 5_000

// A chain waits as it should, and a failure has been said when it came.
const UNSAID: ReadonlySet<WaitingCode> = new Set(['waits_for', 'failed'])

/** Lines for a pipe or a log file: when an update starts, waits, fails or ends, and how far it is now and then. */
export class PlainView implements RunView {
  readonly lookMs = 1_000
  readonly #output: Output
  readonly #several: boolean
  readonly #finished = new Map<string, FinishedUpdates>()
  // What was said last of why an update waits.
  readonly #waiting = new Map<string, string>()
  #progressAt = performance.now()
  // How an update ended is read from the history, which takes a moment: what comes next waits for its turn.
  #said: Promise<void> = Promise.resolve()

  /** `several` databases: each line names its own. */
  constructor(output: Output, several: boolean) {
    this.#output = output
    this.#several = several
  }

  watch(updater: BackgroundUpdater<never>): void {
    const { databaseName } = updater
    const finished = new FinishedUpdates(updater)
    this.#finished.set(databaseName, finished)
    const inTurn = (work: () => void | Promise<void>) => {
      // A history that can't be read now is read at the next look.
      this.#said = this.#said.then(work).catch(() => {})
    }
    inTurn(() => finished.look())
    updater.on('update:start', ({ updateName }) => inTurn(() => this.#say(databaseName, updateName, 'started')))
    updater.on('update:fail', ({ updateName, error }) =>
      inTurn(() => this.#say(databaseName, updateName, `failed: ${firstLine(error.message)}`)),
    )
    updater.on('update:complete', ({ updateName }) =>
      inTurn(async () => {
        await finished.look()
        this.#sayEndings(databaseName, finished.take(updateName))
      }),
    )
  }

  async look(databaseName: string, status: DatabaseStatus): Promise<void> {
    const finished = this.#finished.get(databaseName)
    await finished?.look()
    await this.#said
    this.#sayEndings(databaseName, finished?.take() ?? [])
    for (const update of status.updates) this.#sayWaiting(databaseName, update)
    if (performance.now() - this.#progressAt < PROGRESS_MS) return
    this.#progressAt = performance.now()
    for (const update of status.updates) {
      if (update.state === 'running') this.#say(databaseName, update.name, progressWords(update))
    }
  }

  log(line: string): void {
    this.#output.note(line)
  }

  end(): void {}

  #sayEndings(databaseName: string, entries: readonly HistoryEntry[]): void {
    for (const entry of entries) {
      this.#waiting.delete(`${databaseName} ${entry.name}`)
      this.#say(databaseName, entry.name, endingWords(entry))
    }
  }

  #sayWaiting(databaseName: string, { name, waiting }: UpdateStatus): void {
    const key = `${databaseName} ${name}`
    const said = waiting === null || UNSAID.has(waiting.code) ? null : waiting
    const news = said === null ? '' : newsIn(said)
    if (said !== null && news !== this.#waiting.get(key)) this.#say(databaseName, name, firstLine(said.text))
    this.#waiting.set(key, news)
  }

  #say(databaseName: string, updateName: string, text: string): void {
    this.#output.line(`${this.#several ? `${databaseName} ` : ''}${updateName}: ${text}`)
  }
}

/** What of a reason is worth another line when it changes. What a person wrote is: all of it. */
function newsIn({ code, text }: Waiting): string {
  switch (code) {
    case 'held':
    case 'backs_off':
      // A lease's end moves with every batch, and so does what its runner says behind it.
      return text.replace(/ until \d{4}-\d\d-\d\dT.*$/s, '')
    case 'throttled':
      // What slows it down is measured every second; that a figure changes is no news.
      return text.replace(/\d[\d.,:]*/g, '#')
    default:
      return text
  }
}

function progressWords(update: UpdateStatus): string {
  return [
    update.fraction === null ? null : formatShare(update.fraction),
    update.phase === 'walk' ? null : update.phase,
    update.oneShot ? null : `${formatCount(update.items)} rows`,
    update.itemsPerSecond === null || update.oneShot ? null : `${formatRate(update.itemsPerSecond)} rows/s`,
    update.batchSize === null ? null : `batches of ${formatCount(update.batchSize)}`,
    averageBatch(update),
    update.etaSeconds === null ? null : `${formatRange(update.etaSeconds)} left`,
  ]
    .filter((part) => part !== null)
    .join(' · ')
}

function averageBatch({ performance: { totalDurationMs, batches }, oneShot }: UpdateStatus): string | null {
  return oneShot || batches === 0 ? null : `${formatMs(totalDurationMs / batches)} each`
}
