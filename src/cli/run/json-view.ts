import { EVENT_NAMES } from '../../observe/events.js'
import type { BackgroundUpdater } from '../../updater.js'
import type { Output } from '../output/output.js'
import type { RunView } from './run-view.js'

/** One event a line, as JSON: `{ "event": "batch:success", "at": "…", "databaseName": "main", … }`. */
export class JsonView implements RunView {
  readonly lookMs = null
  readonly #output: Output

  constructor(output: Output) {
    this.#output = output
  }

  watch(updater: BackgroundUpdater<never>): void {
    for (const event of EVENT_NAMES) {
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
