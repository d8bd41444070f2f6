import type { UpdaterEvents } from '../../observe/events.js'
import type { BackgroundUpdater } from '../../updater.js'
import type { Output } from '../output/output.js'
import type { RunView } from './run-view.js'

// A record, so that the compiler misses an event that is forgotten here.
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
  'settings:change': true,
  'lease:taken': true,
  'lease:lost': true,
  'queue:change': true,
}

/** One event a line, as JSON: `{ "event": "batch:success", "at": "…", "databaseName": "main", … }`. */
export class JsonView implements RunView {
  readonly lookMs = null
  readonly #output: Output

  constructor(output: Output) {
    this.#output = output
  }

  watch(updater: BackgroundUpdater<never>): void {
    for (const event of Object.keys(EVENTS) as (keyof UpdaterEvents)[]) {
      updater.on(event, (details) => {
        this.#output.jsonLine({ event, at: new Date().toISOString(), ...details })
      })
    }
  }

  look(): void {}

  log(line: string): void {
    this.#output.note(line)
  }

  end(): void {}
}
