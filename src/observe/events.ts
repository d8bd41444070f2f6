import { EventEmitter } from 'node:events'
import type { JsonValue } from '../json.js'
import type { Waiting } from '../queue/reasons.js'
import type { Logger } from './logger.js'

interface OfUpdate {
  readonly databaseName: string
  readonly updateName: string
}

/** What happens to one batch or lease: `lane` says of which lane, and isn't there while the update walks as one. */
interface OfBatch extends OfUpdate {
  readonly lane?: number
}

/** Every event and the one object that it carries. */
export interface UpdaterEvents {
  /** The runner began; what was found when the registry was held against the queue. */
  'updater:start': { databaseName: string; unknownRows: string[]; unknownDependencies: string[]; cycles: string[] }
  /** The runner ended; with an error only when strict mode gave up, or when the thread of a worker ended by itself. */
  'updater:stop': { databaseName: string; error: Error | null }
  /** Nothing can run now; said once until something ran. */
  'updater:idle': { databaseName: string; complete: boolean }
  /** The first batch of an update in this process is about to run. */
  'update:start': OfUpdate
  'update:complete': OfUpdate & { outcome: 'completed' | 'not applicable' }
  'update:fail': OfUpdate & { error: Error }
  'update:stall': OfUpdate & { error: Error }
  /** A person paused it, or, with an error, the engine did, because a person has to decide. */
  'update:pause': OfUpdate & { by: string | null; reason: string | null; error: Error | null }
  'update:resume': OfUpdate & { by: string | null }
  'update:cancel': OfUpdate & { by: string | null; reason: string | null }
  'update:retry': OfUpdate & { by: string | null }
  'batch:start': OfBatch & { batchSize: number; targetMs: number }
  'batch:success': OfBatch & { items: number; durationMs: number; batchSize: number; done: boolean }
  'batch:failure': OfBatch & { error: Error; attempts: number; backOffMs: number }
  /** The runner pauses before a batch; `reason` is the signal, budget or rule, for programs. */
  'pace:change': OfUpdate & { pauseMs: number; reason: string; why: string }
  /** A running updater took up a setting that somebody changed, here or in another process. */
  'settings:change': {
    databaseName: string
    key: string
    update: string | null
    before: JsonValue
    after: JsonValue
    by: string | null
    reason: string | null
  }
  'lease:taken': OfBatch & { owner: string }
  'lease:lost': OfBatch & { owner: string }
  /** Why updates wait has changed. */
  'queue:change': { databaseName: string; waiting: Record<string, Waiting> }
}

// An object, so that the compiler misses none.
const EVENTS: Record<keyof UpdaterEvents, true> = {
  'updater:start': true,
  'updater:stop': true,
  'updater:idle': true,
  'update:start': true,
  'update:complete': true,
  'update:fail': true,
  'update:stall': true,
  'update:pause': true,
  'update:resume': true,
  'update:cancel': true,
  'update:retry': true,
  'batch:start': true,
  'batch:success': true,
  'batch:failure': true,
  'pace:change': true,
  'lease:taken': true,
  'lease:lost': true,
  'queue:change': true,
  'settings:change': true,
}

/** The name of every event. */
export const EVENT_NAMES = Object.keys(EVENTS) as readonly (keyof UpdaterEvents)[]

type EventArguments = { [Name in keyof UpdaterEvents]: [event: UpdaterEvents[Name]] }

/** The events of one updater. A listener that throws is logged and harms nobody. */
export class UpdaterEmitter {
  readonly #emitter = new EventEmitter<EventArguments>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
    this.#emitter.setMaxListeners(0)
  }

  on<Name extends keyof UpdaterEvents>(name: Name, listener: (event: UpdaterEvents[Name]) => void): void {
    this.#emitter.on(name, listener as never)
  }

  off<Name extends keyof UpdaterEvents>(name: Name, listener: (event: UpdaterEvents[Name]) => void): void {
    this.#emitter.off(name, listener as never)
  }

  emit<Name extends keyof UpdaterEvents>(name: Name, event: UpdaterEvents[Name]): void {
    for (const listener of this.#emitter.rawListeners(name)) {
      try {
        const result: unknown = (listener as (event: UpdaterEvents[Name]) => unknown).call(this.#emitter, event)
        // An async listener: nobody else would hear of its rejection, and the process would end.
        if (result instanceof Promise) result.catch((error: unknown) => this.#sayItThrew(name, error))
      } catch (error) {
        this.#sayItThrew(name, error)
      }
    }
  }

  once<Name extends keyof UpdaterEvents>(name: Name, listener: (event: UpdaterEvents[Name]) => void): void {
    this.#emitter.once(name, listener as never)
  }

  #sayItThrew(event: keyof UpdaterEvents, error: unknown): void {
    this.#log.error({ event, error }, 'a listener of an event threw')
  }
}
