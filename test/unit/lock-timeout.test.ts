import { describe, expect, it } from 'vitest'
import { MAX_LOCK_TRIES, retryForLock } from '../../src/databases/lock-timeout.js'

const refused = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))

function fakeClock() {
  const pauses: number[] = []
  return { pauses, nowMs: () => 0, sleep: (ms: number) => Promise.resolve(void pauses.push(ms)) }
}

describe('retryForLock', () => {
  it('tries 30 times, 0.5 to 30 s apart, and then gives up with the last error', async () => {
    const clock = fakeClock()
    await expect(retryForLock(refused('55P03'), { clock, random: () => 0.5 })).rejects.toThrow('55P03')
    expect(clock.pauses).toHaveLength(MAX_LOCK_TRIES - 1)
    expect(clock.pauses.slice(0, 8)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  })

  it('adds jitter within these bounds', async () => {
    for (const [random, expected] of [
      [0, [500, 800, 1600]],
      [1, [600, 1200, 2400]],
    ] as const) {
      const clock = fakeClock()
      await expect(retryForLock(refused('40P01'), { clock, random: () => random })).rejects.toThrow('40P01')
      expect(clock.pauses.slice(0, 3)).toEqual(expected)
      expect(Math.max(...clock.pauses)).toBeLessThanOrEqual(30_000)
    }
  })

  it('doesn’t try again what isn’t about a lock', async () => {
    const clock = fakeClock()
    await expect(retryForLock(refused('42P01'), { clock, random: () => 0 })).rejects.toThrow('42P01')
    expect(clock.pauses).toEqual([])
  })

  it('stops between two tries when the signal aborts', async () => {
    const controller = new AbortController()
    const clock = { nowMs: () => 0, sleep: async () => controller.abort(new Error('stopped')) }
    const options = { clock, random: () => 0, signal: controller.signal }
    await expect(retryForLock(refused('55P03'), options)).rejects.toThrow('stopped')
  })
})
