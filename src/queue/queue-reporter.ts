import type { UpdaterEmitter } from '../observe/events.js'
import type { Logger } from '../observe/logger.js'
import { closest } from '../options.js'
import type { QueueStore } from './queue-store.js'
import type { Onlooker } from './reasons.js'
import { reviewQueue } from './review.js'
import type { QueueRow } from './row.js'

export interface QueueReporterParts<Tx> {
  readonly databaseName: string
  readonly store: QueueStore<Tx>
  /** The updates that this process knows. */
  readonly registry: { readonly names: readonly string[]; has(name: string): boolean }
  readonly onlooker: Onlooker
  readonly events: UpdaterEmitter
  readonly log: Logger
}

/** Tells people what a runner sees in the queue: each thing once per change, not once per look. */
export class QueueReporter<Tx> {
  readonly #parts: QueueReporterParts<Tx>
  // The reasons that were said last, as text.
  #lastReasons = ''
  // Invariant: true from the moment that idleness was said until a batch runs.
  #idleSaid = false
  // Names in depends_on that were looked up: each is reported once.
  readonly #knownTypos = new Set<string>()

  constructor(parts: QueueReporterParts<Tx>) {
    this.#parts = parts
  }

  /** At start: the registry held against the queue, in one line and one event. */
  async started(): Promise<void> {
    const { store, onlooker, databaseName, events, log } = this.#parts
    const { unknownRows, unknownDependencies, cycles } = await reviewQueue(store, onlooker)
    const found = { databaseName, unknownRows, unknownDependencies, cycles }
    const odd = unknownRows.length + unknownDependencies.length + cycles.length > 0
    if (odd) log.warn(found, 'the updater started; the queue has rows that need a look')
    else log.info(found, 'the updater started')
    for (const name of unknownDependencies) this.#knownTypos.add(name)
    events.emit('updater:start', found)
  }

  /** Before a batch: a dependency that nobody knows counts as finished, but was probably misspelt. */
  async picked(row: QueueRow): Promise<void> {
    const { store, registry, databaseName, log } = this.#parts
    this.#idleSaid = false
    const unknown = row.dependsOn.filter((name) => !registry.has(name) && !this.#knownTypos.has(name))
    if (unknown.length === 0) return
    const finished = await store.finishedAmong(unknown)
    for (const name of unknown) {
      this.#knownTypos.add(name)
      if (finished.has(name)) continue
      const meant = closest(name, registry.names)
      log.warn(
        { update: row.name, database: databaseName, dependency: name },
        `update "${row.name}" depends on "${name}", which nobody knows` +
          (meant === undefined ? '' : `; did you mean "${meant}"?`),
      )
    }
  }

  /** Nothing can run: says why. */
  async idle(): Promise<void> {
    const { store, onlooker, databaseName, events, log } = this.#parts
    const { waiting } = await reviewQueue(store, onlooker)
    const reasons = Object.fromEntries(waiting)
    const text = JSON.stringify(
      // The end of a lease moves on with every batch of its holder: that is no news.
      Object.entries(reasons).map(([name, { code, text: words }]) => [name, code, code === 'held' ? '' : words]),
    )
    if (text !== this.#lastReasons) {
      this.#lastReasons = text
      for (const [name, reason] of waiting) {
        log.info({ update: name, database: databaseName, code: reason.code }, `update ${name}: ${reason.text}`)
      }
      events.emit('queue:change', { databaseName, waiting: reasons })
    }
    if (this.#idleSaid) return
    this.#idleSaid = true
    events.emit('updater:idle', { databaseName, complete: await store.isEmpty() })
  }
}
