import type { PaceSample } from '../pace.js'

/** As far back as the signal `wal rate` looks, in ms. */
const WINDOW_MS = 10_000
/** A reading is that old at most, in ms. */
const OLDEST_READING_MS = 5_000
/** Batches that ended within this time, in ms, are kept as one. */
const SLOT_MS = 100
/** Below this share of the time without a statement of ours nothing can be said of the others. */
const LEAST_WITHOUT_US = 0.2

interface Slot {
  /** When its first batch ended. */
  readonly fromMs: number
  items: number
  // Of what was measured.
  measuredItems: number
  bytes: number
  ms: number
}

/**
 * Tells the WAL that we write from what others write. During our statements both do, for the rest of the time others
 * alone: so the rate at which WAL was written outside of our statements is theirs.
 */
export class OwnWal {
  // Invariant: in the order of time.
  #slots: Slot[] = []
  /** When the first batch began; null before one ended. */
  #sinceMs: number | null = null

  add({ nowMs, durationMs, items, wal }: Pick<PaceSample, 'nowMs' | 'durationMs' | 'items' | 'wal'>): void {
    this.#sinceMs ??= nowMs - durationMs
    const slot = this.#slotAt(nowMs)
    slot.items += items
    if (wal === undefined) return
    slot.measuredItems += wal.items
    slot.bytes += wal.bytes
    slot.ms += wal.ms
  }

  /**
   * What others wrote of so many bytes a second, in bytes a second, when that rate was read at `atMs`; null when too
   * little was measured to tell.
   */
  others(bytesPerSecond: number, atMs: number): number | null {
    if (this.#sinceMs === null) return null
    const spanMs = Math.min(WINDOW_MS, atMs - this.#sinceMs)
    const within = this.#slots.filter(({ fromMs }) => fromMs > atMs - spanMs && fromMs <= atMs)
    const sum = (of: (slot: Slot) => number) => within.reduce((total, slot) => total + of(slot), 0)
    const items = sum((slot) => slot.items)
    const measuredItems = sum((slot) => slot.measuredItems)
    if (items > 0 && measuredItems === 0) return null
    // Of a batch in several statements one is measured: the others cost the same.
    const all = items === 0 ? 0 : items / measuredItems
    const withoutUsMs = spanMs - all * sum((slot) => slot.ms)
    if (!(withoutUsMs > LEAST_WITHOUT_US * spanMs)) return null
    const bytes = (bytesPerSecond * spanMs) / 1_000 - all * sum((slot) => slot.bytes)
    return Math.max(0, (bytes / withoutUsMs) * 1_000)
  }

  #slotAt(nowMs: number): Slot {
    const last = this.#slots.at(-1)
    if (last !== undefined && nowMs < last.fromMs + SLOT_MS) return last
    const slot = { fromMs: nowMs, items: 0, measuredItems: 0, bytes: 0, ms: 0 }
    this.#slots = this.#slots.filter(({ fromMs }) => fromMs > nowMs - WINDOW_MS - OLDEST_READING_MS)
    this.#slots.push(slot)
    return slot
  }
}
