import { writeFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readLog } from '../../bench/foreground/load/load.js'
import { summarise } from '../../bench/foreground/latency.js'
import { processorTime } from '../../bench/measure/processors.js'
import { rounds } from '../../bench/measure/rounds.js'
import { median, quantile } from '../../bench/measure/summary.js'
import { replaceSection } from '../../bench/report/docs.js'
import { figuresOf } from '../../bench/report/figures.js'
import { formatValues } from '../../bench/report/format.js'
import { readResults, type PartResult } from '../../bench/report/results.js'
import { chosenParts, PARTS } from '../../bench/parts.js'
import { temporaryDirectory } from '../support/sqlite.js'
import { documentationPages } from '../docs/markdown.js'

describe('what the benchmark makes of its measurements', () => {
  it('tells how busy the processors were, and what others got of what was wanted; of nothing it is none', () => {
    const before = 'cpu  100 1 50 5000 7 0 9 20 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n'
    const { busy, stolen } = processorTime(before, 'cpu  150 2 70 9000 99 4 24 40 0 0\n')
    expect(busy).toBeCloseTo(90 / (90 + 4_000 + 92 + 20))
    expect(stolen).toBeCloseTo(20 / (90 + 20))
    expect(processorTime(before, before)).toEqual({ busy: 0, stolen: 0 })
  })

  it('counts a latency from when the transaction was due', () => {
    // Client, number, µs, script, seconds and µs at the end, schedule lag.
    const transactions = readLog('0 1 250000 0 1000 500000 200000\n0 2 1000 0 1000 900000 0\n')
    expect(transactions).toEqual([
      { dueMs: 1_000_250, latencyMs: 250 },
      { dueMs: 1_000_899, latencyMs: 1 },
    ])
    expect(summarise(transactions, 1_000_000, 1_000_500)).toMatchObject({ p50: 250, worst: 250, tps: 2 })
  })

  it('has a median between the halves, and quantiles that are values', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer(), { minLength: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, share) => {
          const middle = median(values)
          expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2)
          expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2)
          const at = quantile(values, share)
          expect(values).toContain(at)
          expect(values.filter((value) => value <= at).length).toBeGreaterThanOrEqual(share * values.length)
        },
      ),
    )
  })

  it('lets every contestant run once a round, and not always in the same order', async () => {
    const order: string[] = []
    const results = await rounds(['a', 'b', 'c', 'd'], 4, async (contestant, round) => {
      order.push(contestant)
      return round
    })
    expect([...results.values()]).toEqual(Array(4).fill([0, 1, 2, 3]))
    expect(new Set([0, 4, 8, 12].map((start) => order.slice(start, start + 4).join(''))).size).toBe(4)
  })

  it('shows a median with its spread', () => {
    expect(formatValues([300_000, 280_000, 350_000], 'rows/s')).toBe('300 k (280 k–350 k)')
    expect(formatValues([1.5], 'ratio')).toBe('1.50')
    expect(formatValues([Number.NaN], 'ms')).toBe('–')
  })

  it('reads earlier runs as one, the later one where both measured a part', async () => {
    const directory = temporaryDirectory()
    const save = (name: string, parts: readonly PartResult[]) => {
      const file = path.join(directory, name)
      writeFileSync(file, JSON.stringify({ startedAt: name, machine: 'm', postgres: null, options: {}, parts }))
      return file
    }
    const part = (name: string, values: readonly number[]): PartResult => {
      const rows = [{ key: 'row', title: 'Row', cells: { rate: values } }]
      return { part: name, seconds: 1, tables: [{ id: name, title: name, notes: [], columns: [], rows }] }
    }
    const first = save('first', [part('lanes', [1]), part('scale', [2])])
    const second = save('second', [part('lanes', [3, Number.NaN])])
    const { startedAt, parts } = await readResults([first, second])
    expect(startedAt).toBe('second')
    expect(parts).toEqual([part('lanes', [3, Number.NaN]), part('scale', [2])])
  })

  it('holds what was measured against the figures, and says of the rest that it was not', () => {
    const table = {
      id: 'throughput-postgres-bigint-0',
      title: '',
      notes: [],
      columns: [],
      rows: [
        { key: 'classic', title: '', cells: { rate: [30_000, 31_000, 32_000], ratio: [0.1] } },
        { key: 'default', title: '', cells: { rate: [300_000, 310_000, 200_000], ratio: [0.95, 0.85, 0.91] } },
      ],
    }
    const figures = figuresOf([{ part: 'throughput', seconds: 1, tables: [table] }])
    expect(figures.filter(({ met }) => met !== null)).toEqual([
      expect.objectContaining({ bound: '≥ 0.9 ×', measured: '0.91 ×', met: true }),
      expect.objectContaining({ bound: '≥ 10 ×', measured: '9.68 ×', met: false }),
    ])
  })
})

describe('docs/performance.md', () => {
  const page = documentationPages().find(({ path }) => path === 'docs/performance.md')?.text ?? ''

  it.each(['machine', 'figures', ...PARTS.map(({ name }) => name)])('has a place for what %s measured', (name) => {
    const written = replaceSection(page, name, 'MEASURED')
    expect(written).toContain(`<!-- bench:${name} -->\n\nMEASURED\n\n<!-- /bench:${name} -->`)
    expect(replaceSection(written, name, 'ANEW')).not.toContain('MEASURED')
  })

  it('is told of a part that it has no place for', () => {
    expect(() => replaceSection(page, 'speed', '')).toThrow('bench:speed')
  })
})

describe('the parts', () => {
  it('are all of them when none is named, else those that are', () => {
    expect(chosenParts([])).toBe(PARTS)
    expect(chosenParts(['scale', 'tuner']).map(({ name }) => name)).toEqual(['tuner', 'scale'])
  })
})
