import type { BusyWaits } from '../../databases/database.js'
import type { SignalSample } from '../../pacing/reading.js'
import type { Signal } from '../signal.js'
import { digits, durationText } from '../units.js'
import { against, unknown } from '../verdict.js'

// Weight of one sample's transactions among those before it; without any, what was seen fades.
const WEIGHT = 0.4

/**
 * How often BEGIN IMMEDIATE of ours finds another writer in the database. A SQLite file has one writer at a time, so
 * this is about the share of the time in which others write, however seldom we ask.
 */
export function busyWriters(limit: number): Signal {
  return {
    name: 'busy writers',
    kind: 'gauge',
    intervalMs: 1_000,
    timeoutMs: 1_000,
    shared: true,
    open(own) {
      const share = new BusyShare(own.busyWaits())
      return async () => {
        const now = own.busyWaits()
        return now === null ? unknown('the driver counts no waits for other writers') : share.after(now, limit)
      }
    },
  }
}

export class BusyShare {
  #last: BusyWaits
  #share = 0

  constructor(start: BusyWaits | null) {
    this.#last = start ?? { begins: 0, waits: 0, waitedMs: 0 }
  }

  after(now: BusyWaits, limit: number): SignalSample {
    const begins = now.begins - this.#last.begins
    const waits = now.waits - this.#last.waits
    const waitedMs = now.waitedMs - this.#last.waitedMs
    this.#last = now
    this.#share += WEIGHT * ((begins > 0 ? waits / begins : 0) - this.#share)
    const percent = (share: number) => `${digits(share * 100)} %`
    const waited = waits === 0 ? '' : `, ${durationText(waitedMs)} of waiting in the last second`
    return against(
      this.#share,
      limit,
      `${percent(this.#share)} of our transactions found another writer${waited} (limit ${percent(limit)})`,
    )
  }
}
