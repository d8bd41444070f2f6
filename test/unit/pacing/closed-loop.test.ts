import { adaptivePace, type AdaptivePaceOptions } from 'evenkeel'
import { describe, expect, it } from 'vitest'
import { context, gauge } from './readings.js'

interface Plant {
  /** What the gauge shows when we work this share of the time. */
  utilisation(share: number, second: number): number
  readonly noise?: number
  readonly options?: AdaptivePaceOptions
}

/** A database whose gauge follows our share of the time a second late: the share in each second of five minutes. */
function shares(plant: Plant): number[] {
  const pace = adaptivePace(plant.options)
  const random = seeded(7)
  const busyMs: number[] = Array.from({ length: 300 }, () => 0)
  let nowMs = 0
  while (nowMs < 300_000) {
    const second = Math.floor(nowMs / 1_000)
    const share = (busyMs[second - 1] ?? 0) / 1_000
    const noise = 1 + (plant.noise ?? 0) * (random() * 2 - 1)
    const pause = pace.beforeBatch(context(nowMs, [gauge('load', plant.utilisation(share, second) * noise)]))
    nowMs += pause.ms
    if (pause.again) continue
    busyMs[second] = (busyMs[second] ?? 0) + 20
    nowMs += 20
    pace.afterBatch?.({ updateName: 'walk', nowMs, items: 1, durationMs: 20, commitMs: 1 })
  }
  return busyMs.map((ms) => ms / 1_000)
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

describe('the loop of pace and database', () => {
  it.each([
    { name: 'half of the load is ours', slope: 1.5, noise: 0 },
    { name: 'all of it is ours', slope: 3, noise: 0 },
    { name: 'the gauge scatters by 20 %', slope: 1.5, noise: 0.2 },
  ])('settles near where the gauge is calm: $name', ({ slope, noise }) => {
    const settled = shares({ utilisation: (share) => share * slope, noise }).slice(60)
    // Between 0.5 and 0.8 of the limit the duty is left alone: that band, and a step of the controller round it.
    expect(mean(settled)).toBeGreaterThan((0.5 / slope) * 0.8)
    expect(mean(settled)).toBeLessThan((0.8 / slope) * 1.25)
    // No swinging between nothing and everything.
    const seconds = settled.filter((share) => share < 0.2 / slope || share > 1.5 / slope)
    expect(seconds.length / settled.length).toBeLessThan(0.1)
  })

  it('gives way when others come, and comes back when they go', () => {
    const busy = (second: number) => second >= 100 && second < 200
    const all = shares({ utilisation: (share, second) => share * 0.4 + (busy(second) ? 0.6 : 0) })
    expect(mean(all.slice(20, 100))).toBeGreaterThan(0.95)
    expect(mean(all.slice(120, 200))).toBeLessThan(0.6)
    expect(mean(all.slice(220))).toBeGreaterThan(0.95)
  })

  it('goes on at the least duty when what is above its limit is not ours', () => {
    const all = shares({ utilisation: () => 3, options: { minDuty: 0.05 } })
    expect(mean(all.slice(0, 5))).toBe(0)
    expect(mean(all.slice(20))).toBeGreaterThan(0.03)
    expect(mean(all.slice(20))).toBeLessThan(0.06)
  })
})
