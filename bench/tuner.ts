import type { TunerFactory } from '../src/pacing/tuner.js'
import { emaTuner } from '../src/pacing/tuner-ema.js'
import { guardedTuner } from '../src/pacing/tuner-guarded.js'
import { batchesUntilClose, deviation, mean, quantile, worst } from './tuner/measures.js'
import { simulate, type Batch } from './tuner/plant.js'
import { firstBatches, fromBatch, oneBatch, regions, rows, type PlantMaker } from './tuner/plants.js'

/** `npm run bench:tuner`: the table of pacing.md for every tuner that the project ships. */
const TUNERS: Record<string, TunerFactory> = { emaTuner: emaTuner(), guardedTuner: guardedTuner() }

const SEEDS = Array.from({ length: 1000 }, (_, seed) => seed)
const IDEAL = 10_000
const NOISE = 0.3
/** The batch at which something happens: late enough that the tuner has settled. */
const EVENT = 60

type Column = readonly [title: string, cell: (tuner: TunerFactory) => string]

const COLUMNS: readonly Column[] = [
  ['batches to settle p50 / p90', (tuner) => spread(runs(tuner, noisy(), 60).map((run) => batchesUntilClose(run)))],
  [
    'mean deviation from target',
    (tuner) => percent(mean(runs(tuner, noisy(), 200).map((run) => deviation(run.slice(20))))),
  ],
  ['after ×10 slower, batches to recover p50 / p90', (tuner) => recovery(tuner, 10)],
  ['after ×10 faster', (tuner) => recovery(tuner, 0.1)],
  [
    'after one 20× batch, batches below 75 % p50 / p90',
    (tuner) =>
      spread(runs(tuner, rows({ ideal: IDEAL, noise: NOISE, luck: oneBatch(EVENT, 20) }), 100).map(batchesBelow)),
  ],
  [
    '5× cheaper/dearer regions, deviation',
    (tuner) =>
      percent(
        mean(
          runs(tuner, rows({ ideal: IDEAL, noise: NOISE, factor: regions(50, 5) }), 400).map((run) =>
            deviation(run.slice(20)),
          ),
        ),
      ),
  ],
  [
    'worst first batch when the first 3 were 20 × too cheap',
    (tuner) =>
      `${worst(runs(tuner, rows({ ideal: IDEAL, factor: firstBatches(3, 1 / 20) }), 20)[0] ?? []).toFixed(1)} × target`,
  ],
]

function noisy(): PlantMaker {
  return rows({ ideal: IDEAL, noise: NOISE })
}

function recovery(tuner: TunerFactory, factor: number): string {
  const plant = rows({ ideal: IDEAL, noise: NOISE, factor: fromBatch(EVENT, factor) })
  return spread(runs(tuner, plant, EVENT + 60).map((run) => batchesUntilClose(run, EVENT)))
}

function batchesBelow(run: readonly Batch[]): number {
  return run.slice(EVENT + 1, EVENT + 31).filter(({ load }) => load < 0.75).length
}

function runs(tuner: TunerFactory, plant: PlantMaker, batches: number): readonly (readonly Batch[])[] {
  return SEEDS.map((seed) => simulate({ tuner, plant, seed, batches }))
}

const spread = (values: readonly number[]): string => `${quantile(values, 0.5)} / ${quantile(values, 0.9)}`

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

console.log(`Ideal size ${IDEAL} items, noise ${NOISE * 100} %, ${SEEDS.length} seeds\n`)
console.log(line(['', ...COLUMNS.map(([title]) => title)]))
console.log(line(['', ...COLUMNS].map(() => '---')))
for (const [name, tuner] of Object.entries(TUNERS)) {
  console.log(line([name, ...COLUMNS.map(([, cell]) => cell(tuner))]))
}
