import assert from 'node:assert/strict'
import { runRunner } from './runner-job.js'
import { queueOf200 } from './scenarios/queue.js'
import type { Stage } from './stage.js'

// Short, so that what a dead process held is soon taken over; by the database's clock, as always.
const LEASE_MS = 500

/**
 * Several processes on one queue, each of which dies at a random statement and is replaced by another one, until `kills`
 * have died; the last ones finish. All is done in the end, once. Resolves to how many died.
 */
export async function queueUnderFire(
  bundle: string,
  stage: Stage,
  { runners, kills, random }: { readonly runners: number; readonly kills: number; readonly random: () => number },
): Promise<number> {
  await stage.reset(queueOf200)
  let dead = 0
  await Promise.all(
    Array.from({ length: runners }, async () => {
      for (;;) {
        const at = 10 + Math.floor(random() * 300)
        const other = stage.dialect === 'sqlite' ? ('after' as const) : ('sent' as const)
        const moment = random() < 0.5 ? ('before' as const) : other
        const death = dead < kills ? { moment, at } : null
        const job = {
          scenario: queueOf200.name,
          dialect: stage.dialect,
          database: stage.database,
          death,
          leaseMs: LEASE_MS,
        }
        if ((await runRunner(bundle, job)) !== null) return
        dead += 1
      }
    }),
  )
  for (const sql of queueOf200.wrong(stage.dialect)) {
    assert.deepEqual({ sql, rows: await stage.rows(sql) }, { sql, rows: [] })
  }
  return dead
}

/** The same numbers for the same seed: mulberry32, https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
