import fc from 'fast-check'
import { adaptivePace } from 'evenkeel'
import { describe, expect, it } from 'vitest'
import { OwnWal } from '../../../src/pacing/adaptive/own-wal.js'
import { context, foreground, gauge } from './readings.js'

interface Server {
  /** Bytes a second that others write all the time. */
  readonly others: number
  /** Bytes for each ms that a statement of ours runs. */
  readonly perMs: number
  /** How long the server works on a batch, and how long it rests behind it, in ms. */
  readonly workMs: number
  readonly restMs: number
  /** Of so many statements of a batch one is measured. */
  readonly statements: number
}

/** What is read after `ms` of such batches: the rate of all WAL, and the books that were kept meanwhile. */
function after(ms: number, server: Server): { readonly own: OwnWal; readonly rate: number; readonly ours: number } {
  const own = new OwnWal()
  const { others, perMs, workMs, restMs, statements } = server
  let nowMs = 0
  const ends: { readonly atMs: number; readonly bytes: number }[] = []
  while (nowMs < ms) {
    nowMs += workMs
    ends.push({ atMs: nowMs, bytes: workMs * perMs })
    const measuredMs = workMs / statements
    const wal = { items: 100, ms: measuredMs, bytes: measuredMs * (perMs + others / 1_000) }
    own.add({ nowMs, durationMs: workMs, items: 100 * statements, wal })
    nowMs += restMs
  }
  const spanMs = Math.min(nowMs, 10_000)
  const ours = ends.filter(({ atMs }) => atMs > nowMs - spanMs).reduce((sum, { bytes }) => sum + bytes, 0)
  return { own, rate: others + (ours / spanMs) * 1_000, ours: (ours / spanMs) * 1_000 }
}

const servers = fc.record({
  others: fc.integer({ min: 0, max: 100_000_000 }),
  perMs: fc.integer({ min: 0, max: 100_000 }),
  workMs: fc.integer({ min: 1, max: 100 }),
  restMs: fc.integer({ min: 100, max: 1_000 }),
  statements: fc.integer({ min: 1, max: 40 }),
})

describe('our own WAL', () => {
  it('is told from that of others, however much either writes', () => {
    fc.assert(
      fc.property(servers, fc.integer({ min: 3_000, max: 60_000 }), (server, ms) => {
        const { own, rate, ours } = after(ms, server)
        const others = own.others(rate, ms)
        // A batch at an edge of the window counts or doesn't: what that may be is known.
        const edge = ((server.workMs + 100) * (server.perMs + server.others / 1_000)) / 3
        expect(Math.abs((others ?? NaN) - server.others)).toBeLessThan(edge + 0.25 * (ours + server.others) + 1)
      }),
    )
  })

  it('is not told from little: nothing measured, no batch, or next to no time without us', () => {
    const own = new OwnWal()
    expect(own.others(1e6, 1_000)).toBeNull()
    own.add({ nowMs: 1_000, durationMs: 100, items: 100 })
    expect(own.others(1e6, 2_000)).toBeNull()
    const busy = new OwnWal()
    busy.add({ nowMs: 1_000, durationMs: 1_000, items: 100, wal: { items: 100, ms: 950, bytes: 1e6 } })
    expect(busy.others(1e6, 1_050)).toBeNull()
  })

  it('is none in a window without a batch', () => {
    const own = new OwnWal()
    own.add({ nowMs: 1_000, durationMs: 100, items: 100, wal: { items: 100, ms: 100, bytes: 5e6 } })
    expect(own.others(1e6, 20_000)).toBe(1e6)
  })
})

describe('beside others whose WAL forces checkpoints', () => {
  /** The duty after a minute of batches that write so many bytes in each of their 10 ms, at a budget of 1 MB/s. */
  const duty = (others: number, perBatch: number, measured = true) => {
    const pace = adaptivePace({ preset: 'gentle' })
    const written: { readonly atMs: number; readonly bytes: number }[] = []
    let [nowMs, reading] = [0, gauge('wal rate', 0)]
    while (nowMs < 60_000) {
      if (nowMs - (reading.lastReadMs ?? 0) >= 1_000) {
        const ours = written.filter(({ atMs }) => atMs > nowMs - 10_000).reduce((sum, { bytes }) => sum + bytes, 0)
        const value = others + (ours / Math.min(nowMs, 10_000)) * 1_000
        reading = gauge('wal rate', value / 1e6, { value, lastReadMs: nowMs })
      }
      const pause = pace.beforeBatch(context(nowMs, [foreground(true, nowMs), reading]))
      nowMs += pause.ms
      if (pause.again) continue
      nowMs += 10
      written.push({ atMs: nowMs, bytes: perBatch })
      const wal = { items: 100, ms: 10, bytes: perBatch + others / 100 }
      const sample = { updateName: 'walk', nowMs, items: 100, durationMs: 10, commitMs: 1 }
      pace.afterBatch?.(measured ? { ...sample, wal } : sample)
    }
    return pace.explain?.().duty ?? NaN
  }

  it('works as beside any others as long as its own WAL is little', () => {
    // 60 kB/s of ours beside 4 or 20 times what checkpoints bear: not measured, it would be taken for all of it.
    for (const others of [4e6, 20e6]) {
      expect(duty(others, 10_000)).toBe(0.06)
      expect(duty(others, 10_000, false)).toBe(0.02)
    }
  })

  it('keeps its own within what theirs leaves of the limit, and a quarter of theirs in any case', () => {
    // At the whole share it would write 12 MB/s.
    expect(duty(0, 2_000_000)).toBeLessThan(0.03)
    expect(duty(1e6, 2_000_000)).toBeLessThan(0.03)
    expect(duty(100e6, 2_000_000)).toBe(0.06)
  })
})
