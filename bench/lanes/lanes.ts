import type { Part } from '../bench.js'
import { DEFAULT, lanes as laneCount } from '../contestants/variants.js'
import { throughputOnPostgres } from '../throughput/postgres.js'
import { twoProcesses } from './two-processes.js'

const VARIANTS = [DEFAULT, laneCount(2), laneCount(4)]

/** What several lanes gain, where a batch is bound by the server's CPU. SQLite has one lane. */
export const lanes: Part = {
  name: 'lanes',
  async run(bench) {
    const threeIndexes = await throughputOnPostgres(bench, { key: 'bigint', indexes: 3 }, VARIANTS, {
      part: 'lanes',
      millions: { quick: 0.02, brief: 0.28, thorough: 1 },
      others: [twoProcesses],
    })
    if (bench.options.effort !== 'thorough') return [threeIndexes]
    return [threeIndexes, await throughputOnPostgres(bench, { key: 'uuid', indexes: 3 }, VARIANTS, { part: 'lanes' })]
  },
}
