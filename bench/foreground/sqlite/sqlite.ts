import { sized, type Bench } from '../../bench.js'
import { byUpdater } from '../../contestants/by-updater.js'
import { CLASSIC, CLASSIC_WITHOUT_PAUSE, DEFAULT, preset, type Variant } from '../../contestants/variants.js'
import { startScript } from '../../measure/run-script.js'
import type { Table } from '../../report/table.js'
import { keysetLoop, singleUpdate } from '../../sqlite/by-hand.js'
import { freshSubject, type SqliteSubject } from '../../sqlite/subject.js'
import { besideForeground } from '../beside.js'
import { readLog } from '../load/load.js'
import type { Foreground } from '../window.js'
import type { SqliteLoad } from './load-main.js'

const SMALL_BATCH_SIZE = 5_000
const WRITES_A_SECOND = 200
const READS_A_SECOND = 200

/** How a writer and a reader of the same SQLite file, each in a process of its own, feel each contestant. */
export function foregroundOnSqlite(bench: Bench): Promise<Table[]> {
  const rows = bench.options.rows ?? sized(bench.options, { quick: 0.05, brief: 1, thorough: 2 }) * 1_000_000
  return besideForeground(bench, {
    id: 'foreground-sqlite',
    title: `Beside a foreground, SQLite: ${WRITES_A_SECOND} single-row updates and ${READS_A_SECOND} reads a second`,
    notes: [
      `${rows.toLocaleString('en-US')} rows, WAL mode; the writer and the reader are a process each.`,
      'Latency is from when a transaction was due by the schedule to its end.',
    ],
    loads: ['write', 'read'],
    seconds: bench.options.seconds ?? sized(bench.options, { quick: 1, brief: 2, thorough: 10 }),
    backfillers: [singleUpdate, keysetLoop(SMALL_BATCH_SIZE), ...variantsOf(bench).map(byUpdater)],
    onlyShown: [singleUpdate.key, keysetLoop(SMALL_BATCH_SIZE).key, CLASSIC_WITHOUT_PAUSE.key],
    fresh: () => freshSubject(bench, { key: 'integer', indexes: 0, rows }),
    foreground: run,
  })
}

const variantsOf = ({ options }: Bench): readonly Variant[] => [
  CLASSIC,
  CLASSIC_WITHOUT_PAUSE,
  DEFAULT,
  ...(options.effort === 'brief' ? [] : [preset('fast')]),
  preset('gentle'),
]

function run({ file, shape }: SqliteSubject, seed: number): Foreground {
  return async (seconds) => {
    const start = (does: SqliteLoad['does'], rate: number) => {
      const request: SqliteLoad = { file, shape, does, rate, seconds, seed }
      return startScript(new URL('load-main.ts', import.meta.url), request)
    }
    const [write, read] = [start('write', WRITES_A_SECOND), start('read', READS_A_SECOND)]
    await Promise.all([write.ready, read.ready])
    return { write: write.output.then(readLog), read: read.output.then(readLog) }
  }
}
