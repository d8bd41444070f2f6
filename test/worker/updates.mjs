/** The module of the workers in these tests: loaded in the thread, from dist/. */
import { backfill, defineUpdate, noPace } from 'evenkeel'

/** Places in the shared memory, see `support.ts`. */
const REACHED = 0
const MAY_GO_ON = 1

/** Holds the thread, as a long statement of a synchronous driver would, until the main thread lets it go on. */
function holdThread(flags) {
  Atomics.store(flags, REACHED, 1)
  if (Atomics.wait(flags, MAY_GO_ON, 0, 60_000) === 'timed-out') throw new Error('the main thread did not run')
}

export default function configuration({ database, shared, schema }) {
  const flags = new Int32Array(shared)
  const fill = backfill({ name: 'fill', table: 't', set: { x: 'x + 1' } })
  const held = defineUpdate({
    name: 'held',
    batch: async () => {
      holdThread(flags)
      return { items: 1, done: true }
    },
  })
  // Ten batches over the rows of t, of which the fifth holds the thread in the middle of its transaction.
  const tens = defineUpdate({
    name: 'tens',
    batch: async ({ query, progress: { done = 0 } }) => {
      await query('UPDATE t SET x = x + 1 WHERE id > $1 AND id <= $2', [done, done + 10])
      if (done === 40) holdThread(flags)
      return { items: 10, progress: { done: done + 10 }, done: done === 90 }
    },
  })
  const broken = defineUpdate({
    name: 'broken',
    maxAttempts: 1,
    batch: () => Promise.reject(new RangeError('out of bounds')),
  })
  const stray = defineUpdate({
    name: 'stray',
    batch: async () => {
      void Promise.reject(new Error('nobody waits for me'))
      await new Promise((resolve) => setTimeout(resolve, 60_000))
      return { items: 0, done: true }
    },
  })
  const exits = defineUpdate({ name: 'exits', batch: async () => process.exit(3) })
  const endless = defineUpdate({
    name: 'endless',
    batch: async ({ signal }) => {
      Atomics.store(flags, REACHED, 1)
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
  })
  return {
    database,
    schema,
    updates: [fill, held, tens, broken, stray, exits, endless],
    pace: noPace(),
    leaseMs: 500,
  }
}
