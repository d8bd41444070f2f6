import { StalledError } from '../errors.js'
import type { UpdaterEmitter } from '../observe/events.js'
import type { Logger } from '../observe/logger.js'
import type { Lease } from '../queue/lease.js'
import { STALLED_AFTER, type BatchPlan, type BatchReport } from './work.js'

export interface AnnouncerParts {
  readonly databaseName: string
  readonly events: UpdaterEmitter
  readonly log: Logger
}

/** Tells listeners and the log what becomes of leases and batches. */
export class Announcer {
  readonly #parts: AnnouncerParts

  constructor(parts: AnnouncerParts) {
    this.#parts = parts
  }

  leaseTaken(lease: Lease): void {
    this.#parts.events.emit('lease:taken', this.#ofBatch(lease, { owner: lease.owner }))
  }

  leaseLost(lease: Lease): void {
    const { events, log } = this.#parts
    log.warn({ update: lease.updateName }, 'the lease was lost: the batch was rolled back')
    events.emit('lease:lost', this.#ofBatch(lease, { owner: lease.owner }))
  }

  updateStarts(updateName: string): void {
    this.#parts.events.emit('update:start', this.#ofUpdate(updateName, {}))
  }

  batchStarts({ lease, batchSize, targetMs }: BatchPlan): void {
    this.#parts.events.emit('batch:start', this.#ofBatch(lease, { batchSize, targetMs }))
  }

  batchCommitted({ lease, batchSize }: BatchPlan, { items, durationMs, done }: BatchReport): void {
    const { events, log } = this.#parts
    events.emit('batch:success', this.#ofBatch(lease, { items, durationMs, batchSize, done }))
    log.debug({ update: lease.updateName, items, durationMs, batchSize }, 'batch committed')
  }

  updateComplete(updateName: string): void {
    const { databaseName, events, log } = this.#parts
    log.info({ update: updateName, database: databaseName }, 'update complete')
    events.emit('update:complete', this.#ofUpdate(updateName, { outcome: 'completed' }))
  }

  notApplicable(updateName: string): void {
    this.#parts.events.emit('update:complete', this.#ofUpdate(updateName, { outcome: 'not applicable' }))
  }

  /** Ten batches brought nothing new; the error that its update fails with. */
  stalled(updateName: string): StalledError {
    const error = new StalledError(updateName, STALLED_AFTER)
    this.#parts.events.emit('update:stall', this.#ofUpdate(updateName, { error }))
    return error
  }

  controllerRefused(updateName: string, error: Error): void {
    this.#parts.log.warn({ update: updateName, error }, error.message)
  }

  controllerThrew(updateName: string, error: unknown): void {
    this.#parts.log.error({ update: updateName, error }, 'the controller threw when a batch had ended')
  }

  #ofUpdate<Told extends object>(updateName: string, told: Told) {
    return { databaseName: this.#parts.databaseName, updateName, ...told }
  }

  #ofBatch<Told extends object>({ updateName, lane }: Lease, told: Told) {
    const { databaseName } = this.#parts
    return lane === null ? { databaseName, updateName, ...told } : { databaseName, updateName, lane, ...told }
  }
}
