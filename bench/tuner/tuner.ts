import { emaTuner, guardedTuner, type TunerFactory } from 'evenkeel'
import { sized, type Part } from '../bench.js'
import type { Column, Row } from '../report/table.js'
import { batchesUntilClose, deviation, mean, quantile, worst } from './measures.js'
import { simulate, type Batch } from './plant.js'
import { firstBatches, fromBatch, oneBatch, regions, rows, type PlantMaker } from './plants.js'

const TUNERS: Record<string, TunerFactory> = { emaTuner: emaTuner(), guardedTuner: guardedTuner() }

const IDEAL = 10_000
const NOISE = 0.3
/** The batch at which something happens: late enough that the tuner has settled. */
const EVENT = 60

const COLUMNS: readonly Column[] = [
  { key: 'settle-p50', title: 'batches to settle, p50', format: 'count' },
  { key: 'settle-p90', title: 'p90', format: 'count' },
  { key: 'deviation', title: 'mean deviation from target', format: '%' },
  { key: 'slower-p50', title: 'after ×10 slower, batches to recover, p50', format: 'count' },
  { key: 'slower-p90', title: 'p90', format: 'count' },
  { key: 'faster-p50', title: 'after ×10 faster, p50', format: 'count' },
  { key: 'faster-p90', title: 'p90', format: 'count' },
  { key: 'stray-p50', title: 'after one 20× batch, batches below 75 %, p50', format: 'count' },
  { key: 'stray-p90', title: 'p90', format: 'count' },
  { key: 'regions', title: '5× cheaper/dearer regions, deviation', format: '%' },
  { key: 'cheap', title: 'worst first batch when the first 3 were 20 × too cheap, × target', format: 'ratio' },
]

/** Every tuner that the project ships, on simulated databases: the table of the tuner's acceptance. No clock, no I/O. */
export const tuner: Part = {
  name: 'tuner',
  async run({ options }) {
    const seeds = Array.from(
      { length: sized(options, { quick: 50, brief: 1_000, thorough: 1_000 }) },
      (_, seed) => seed,
    )
    return [
      {
        id: 'tuner',
        title: 'Batch size: the tuners on simulated databases',
        notes: [`Ideal size ${IDEAL.toLocaleString('en-US')} items, noise ${NOISE * 100} %, ${seeds.length} seeds.`],
        columns: COLUMNS,
        rows: Object.entries(TUNERS).map(([name, factory]): Row => ({
          key: name,
          title: `${name}()`,
          cells: measured((plant, batches) => seeds.map((seed) => simulate({ tuner: factory, plant, seed, batches }))),
        })),
      },
    ]
  },
}

type Runs = (plant: PlantMaker, batches: number) => readonly (readonly Batch[])[]

function measured(runs: Runs): Row['cells'] {
  const noisy = rows({ ideal: IDEAL, noise: NOISE })
  const recovery = (factor: number) =>
    runs(rows({ ideal: IDEAL, noise: NOISE, factor: fromBatch(EVENT, factor) }), EVENT + 60).map((run) =>
      batchesUntilClose(run, EVENT),
    )
  const settled = (plant: PlantMaker, batches: number) =>
    mean(runs(plant, batches).map((run) => deviation(run.slice(20))))
  const stray = runs(rows({ ideal: IDEAL, noise: NOISE, luck: oneBatch(EVENT, 20) }), 100).map(batchesBelow)
  const cheap = runs(rows({ ideal: IDEAL, factor: firstBatches(3, 1 / 20) }), 20)[0] ?? []
  return {
    ...quantiles(
      'settle',
      runs(noisy, 60).map((run) => batchesUntilClose(run)),
    ),
    deviation: [settled(noisy, 200)],
    ...quantiles('slower', recovery(10)),
    ...quantiles('faster', recovery(0.1)),
    ...quantiles('stray', stray),
    regions: [settled(rows({ ideal: IDEAL, noise: NOISE, factor: regions(50, 5) }), 400)],
    cheap: [worst(cheap)],
  }
}

const batchesBelow = (run: readonly Batch[]): number =>
  run.slice(EVENT + 1, EVENT + 31).filter(({ load }) => load < 0.75).length

const quantiles = (key: string, values: readonly number[]) => ({
  [`${key}-p50`]: [quantile(values, 0.5)],
  [`${key}-p90`]: [quantile(values, 0.9)],
})
