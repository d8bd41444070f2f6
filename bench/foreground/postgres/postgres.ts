import { sized, type Bench } from '../../bench.js'
import { byUpdater } from '../../contestants/by-updater.js'
import { CLASSIC, CLASSIC_WITHOUT_PAUSE, DEFAULT, preset, turned } from '../../contestants/variants.js'
import { keysetLoop, singleUpdate } from '../../postgres/by-hand.js'
import { freshSubject } from '../../postgres/subject.js'
import type { Table } from '../../report/table.js'
import { besideForeground } from '../beside.js'
import { inNode } from '../load/in-node.js'
import type { LoadGenerator } from '../load/load.js'
import { findPgbench, pgbench } from '../load/pgbench.js'
import { createTpcbTables } from '../load/tpcb-tables.js'
import type { Foreground } from '../window.js'
import { OTHER, OTHER_CLOSED, SAME, SAME_CLOSED, type Workload } from './workloads.js'

// What people write who think of their users, and what one could write who had measured as long as we have.
const SMALL_BATCH_SIZE = 1_000
const TINY_BATCH = { size: 50, restMs: 1 }

/** How a foreground on PostgreSQL feels each contestant, and the frontier of rows a second against its p99. */
export async function foregroundOnPostgres(bench: Bench): Promise<Table[]> {
  const postgres = await bench.postgres()
  await createTpcbTables(postgres.admin)
  const program = bench.options.ownLoad ? null : findPgbench()
  const generator = program === null ? inNode(postgres.url) : pgbench(program, postgres.url, bench.directory)
  const own = bench.options.paces.map(turned)
  const everybody = [CLASSIC, CLASSIC_WITHOUT_PAUSE, DEFAULT, preset('fast'), preset('gentle'), ...own]
  const tiny = bench.options.effort === 'thorough' ? [keysetLoop(TINY_BATCH.size, TINY_BATCH.restMs)] : []
  const byHand = [singleUpdate, keysetLoop(SMALL_BATCH_SIZE), ...tiny]
  const rows = bench.options.rows ?? sized(bench.options, { quick: 0.05, brief: 0.3, thorough: 3 }) * 1_000_000
  const tables: Table[] = []
  for (const workload of workloadsOf(bench)) {
    const comparison = {
      id: `foreground-postgres-${workload.key}`,
      title: `Beside a foreground, PostgreSQL: ${workload.title}`,
      notes: [
        `${rows.toLocaleString('en-US')} rows.`,
        ...notesOn(workload),
        `Foreground by ${generator.about}.`,
        `${postgres.about}.`,
      ],
      loads: [workload.load.name],
      seconds: bench.options.seconds ?? sized(bench.options, { quick: 1, brief: 3, thorough: 10 }),
      backfillers:
        workload.few && bench.options.effort === 'brief'
          ? [CLASSIC_WITHOUT_PAUSE, DEFAULT, preset('gentle'), ...own].map(byUpdater)
          : [...byHand, ...everybody.map(byUpdater)],
      onlyShown: [...byHand.map(({ key }) => key), CLASSIC_WITHOUT_PAUSE.key, 'fast'],
      fresh: () => freshSubject(postgres, { key: 'bigint', indexes: 0, rows }),
      foreground: (_: unknown, seed: number) => run(generator, workload, rows, seed),
    }
    tables.push(...(await besideForeground(bench, comparison)))
  }
  return tables
}

const workloadsOf = ({ options }: Bench): readonly Workload[] =>
  options.effort === 'thorough' ? [OTHER, SAME, OTHER_CLOSED, SAME_CLOSED] : [OTHER, SAME, OTHER_CLOSED]

function run(generator: LoadGenerator, { load }: Workload, rows: number, seed: number): Foreground {
  return async (seconds) => {
    const { log } = await generator.run({ ...load, seconds, seed, rows })
    return { [load.name]: log }
  }
}

function notesOn({ load }: Workload): string[] {
  if (load.rate === null) return ['Latency is from when a transaction is sent to its end.']
  return [
    'Latency is from when a transaction was due by the schedule to its end: what waits in line behind a stall counts.',
  ]
}
