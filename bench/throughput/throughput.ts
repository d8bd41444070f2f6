import type { Bench, Part } from '../bench.js'
import { CLASSIC, CLASSIC_WITHOUT_PAUSE, DEFAULT, lanes } from '../contestants/variants.js'
import type { Table } from '../report/table.js'
import { throughputOnPostgres } from './postgres.js'
import { throughputOnSqlite } from './sqlite.js'

// The classic with its pause takes long and is as slow everywhere: it is measured where it is compared.
const WITHOUT_PAUSE = [CLASSIC_WITHOUT_PAUSE, DEFAULT]
const LANES = [lanes(2), lanes(4)]

/** How fast an idle database is backfilled. */
export const throughput: Part = {
  name: 'throughput',
  async run(bench: Bench): Promise<Table[]> {
    const everybody = [CLASSIC, ...WITHOUT_PAUSE, ...LANES]
    const thorough = bench.options.effort === 'thorough'
    // When time is short, the part `lanes` alone measures them there.
    const ofThreeIndexes = thorough ? everybody : [CLASSIC, ...WITHOUT_PAUSE]
    return [
      await throughputOnPostgres(bench, { key: 'bigint', indexes: 0 }, everybody),
      await throughputOnPostgres(bench, { key: 'bigint', indexes: 3 }, ofThreeIndexes),
      await throughputOnPostgres(bench, { key: 'uuid', indexes: 0 }, [
        ...WITHOUT_PAUSE,
        ...(thorough ? LANES : [lanes(2)]),
      ]),
      await throughputOnSqlite(bench, { key: 'integer', indexes: 0 }, [CLASSIC, ...WITHOUT_PAUSE]),
      await throughputOnSqlite(bench, { key: 'integer', indexes: 3 }, WITHOUT_PAUSE),
      await throughputOnSqlite(bench, { key: 'uuid', indexes: 0 }, WITHOUT_PAUSE),
    ]
  },
}
