import fc from 'fast-check'
import { guardedTuner } from 'evenkeel'
import { expect, it } from 'vitest'
import { StatementSize } from '../../../src/pacing/statement-size.js'

const msPerItem = fc.double({ min: 0.001, max: 20, noNaN: true })
const statementMs = fc.double({ min: 0.05, max: 5, noNaN: true })

/** What a batch in statements is made of, in ms. */
interface Plant {
  readonly msPerItem: number
  /** Of a statement without items, in the server. */
  readonly emptyMs: number
  readonly roundTripMs: number
}

it('finds the size whose items take as long as they should by the client’s clock, whatever a statement takes without', () => {
  fc.assert(
    fc.property(msPerItem, fc.double({ min: 0, max: 50, noNaN: true }), statementMs, (msPerItem, emptyMs, ms) => {
      const sizes = new StatementSize()
      let size = sizes.next(ms)
      for (let batch = 0; batch < 40; batch += 1) {
        if (sizes.needsEmpty) sizes.empty(emptyMs)
        sizes.record({ items: size, durationMs: emptyMs + size * msPerItem })
        size = sizes.next(ms)
      }
      const ideal = ms / msPerItem
      expect(size).toBeGreaterThanOrEqual(Math.max(1, Math.floor(ideal * 0.6)))
      expect(size).toBeLessThanOrEqual(Math.max(1, Math.ceil(ideal * 1.6)))
    }),
  )
})

it('fills the time by the server’s clock, or gives items as much as a statement takes without', () => {
  fc.assert(
    fc.property(msPerItem, fc.double({ min: 0, max: 10, noNaN: true }), statementMs, (msPerItem, emptyMs, ms) => {
      const sizes = new StatementSize()
      let size = sizes.next(ms)
      for (let batch = 0; batch < 60; batch += 1) {
        if (sizes.needsEmpty) sizes.empty(emptyMs)
        // A round trip counts for nothing here.
        sizes.record({ items: size, durationMs: 1e6, serverMs: emptyMs + size * msPerItem })
        size = sizes.next(ms)
      }
      const itemsMs = size * msPerItem
      if (size > 1) expect(itemsMs).toBeLessThanOrEqual(Math.max(ms, emptyMs) * 1.1 + msPerItem)
      expect(itemsMs + msPerItem).toBeGreaterThanOrEqual(Math.min(ms, Math.max(ms / 2, emptyMs)) * 0.45)
    }),
  )
})

it('takes a step of at most a factor of two for one batch, and never goes below one item', () => {
  const sizes = new StatementSize()
  expect(sizes.next(1)).toBe(100)
  sizes.record({ items: 100, durationMs: 0 })
  expect(sizes.next(1)).toBe(200)
  for (let batch = 0; batch < 3; batch += 1) sizes.record({ items: 200, durationMs: 1e9 })
  expect(sizes.next(1)).toBe(400)
  sizes.record({ items: 200, durationMs: 1e9 })
  expect(sizes.next(1)).toBe(200)
  for (let batch = 0; batch < 20; batch += 1) sizes.record({ items: 1, durationMs: 1e9 })
  expect(sizes.next(1)).toBe(1)
})

it('two of three batches that waited for something change nothing', () => {
  const sizes = new StatementSize()
  for (let batch = 0; batch < 300; batch += 1) {
    expect(sizes.next(1)).toBe(100)
    sizes.record({ items: 100, durationMs: 1, serverMs: batch % 3 === 0 ? 1 : 50 })
  }
})

it('a statement without items that was slow once does not make the others long', () => {
  const sizes = new StatementSize()
  for (let batch = 0; batch < 1_000; batch += 1) {
    sizes.next(1)
    if (sizes.needsEmpty) sizes.empty(batch === 101 ? 1_000 : 0.5)
    sizes.record({ items: 100, durationMs: 1.5 })
  }
  expect(sizes.next(1)).toBe(100)
})

it('times one without items in three of a hundred batches, also when a handler tells nothing of its statements', () => {
  const sizes = new StatementSize()
  const timed: number[] = []
  for (let batch = 0; batch < 300; batch += 1) {
    sizes.next(1)
    if (sizes.needsEmpty) timed.push(batch)
  }
  expect(timed).toEqual([0, 1, 2, 100, 101, 102, 200, 201, 202])
})

/** The sizes of 300 batches whose target is next to nothing against the way to the server, each round trip noisy. */
function batches({ msPerItem, emptyMs, roundTripMs }: Plant, targetMs: number, ms: number, seed: number): number[] {
  const context = { targetMs, defaultBatchSize: 100, minBatchSize: 1, maxBatchSize: 1e9 }
  const tuner = guardedTuner()(context)
  const statements = new StatementSize()
  const random = seeded(seed)
  const trip = () => roundTripMs * (0.6 + random() * 1.5)
  const sizes: number[] = []
  for (let batch = 0; batch < 300; batch += 1) {
    const size = tuner.next(targetMs)
    const every = Math.min(size, statements.next(ms))
    if (statements.needsEmpty) statements.empty(emptyMs)
    const slices = Array.from({ length: Math.ceil(size / every) }, (_, i) => Math.min(every, size - i * every))
    const times = slices.map((items) => ({ server: emptyMs + items * msPerItem, way: trip() }))
    const [first] = times as [(typeof times)[number]]
    const wall = times.reduce((sum, { server, way }) => sum + server + way, 0)
    // BEGIN, COMMIT, the bounds, and what is known of the first statement.
    const overheadMs = trip() + trip() + trip() + first.way
    tuner.record({ items: size, durationMs: overheadMs + wall - first.way, overheadMs })
    statements.record({ items: every, durationMs: first.server + first.way, serverMs: first.server })
    sizes.push(size)
  }
  return sizes
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

it('a slow network, or a busy machine, does not make batches of next to nothing', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.5, max: 50, noNaN: true }),
      fc.double({ min: 0.01, max: 2, noNaN: true }),
      fc.integer({ min: 1, max: 1_000_000 }),
      (roundTripMs, emptyMs, seed) => {
        const plant = { msPerItem: 0.004, emptyMs, roundTripMs }
        const settled = batches(plant, 4, 0.2, seed).slice(100)
        // A statement of 0.2 ms has room for 25 items and more; no batch is smaller than half of that.
        expect(Math.min(...settled)).toBeGreaterThanOrEqual(12)
      },
    ),
    { numRuns: 200 },
  )
})
