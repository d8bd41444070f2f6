import { parseArgs } from 'node:util'
import type { AdaptivePaceOptions } from 'evenkeel'
import { knownVersions, type PostgresVersion } from '../test/support/postgres-binaries.js'

/** How much is measured. */
export type Effort = 'quick' | 'brief' | 'thorough'

/** What a run of the benchmark is told. */
export interface BenchOptions {
  /** Which parts to run; all when empty. */
  readonly only: readonly string[]
  /** Quick: about a minute, and its figures mean nothing. Brief: all parts in about ten minutes. Thorough: minutes a part. */
  readonly effort: Effort
  /** Rows of the table that is backfilled; undefined leaves it to the part. */
  readonly rows: number | undefined
  /** Repetitions of every contestant; undefined leaves it to the part. */
  readonly repeat: number | undefined
  /** Length of one measurement beside a foreground, in seconds; undefined leaves it to the part. */
  readonly seconds: number | undefined
  /** For whatever is random: the load's schedule and its rows. */
  readonly seed: number
  readonly postgres: PostgresVersion
  /** Whether the server flushes to disk, as in production. Off: everything happens in memory, whatever the disk. */
  readonly fsync: boolean
  /** Settings of the server beside the benchmark's own, as `name=value`. */
  readonly settings: Readonly<Record<string, string>>
  /** Further contestants beside a foreground: the default with these knobs of `adaptivePace()`. */
  readonly paces: readonly AdaptivePaceOptions[]
  /** Runs the foreground by our own load generator although there is pgbench. */
  readonly ownLoad: boolean
  /** Prints the results as JSON and nothing else. */
  readonly json: boolean
  /** Writes the tables into docs/performance.md. */
  readonly docs: boolean
  /** Files of earlier runs, to show instead of measuring; of two that measured the same part the later one counts. */
  readonly from: readonly string[]
}

export const USAGE = `Usage: npm run bench -- [options]

  --only <parts>       some of tuner, overhead, throughput, foreground, lanes, scale, separated by commas
  --thorough           larger tables and longer measurements than fit into ten minutes for all parts
  --quick              tiny sizes, about a minute: shows that it works, its figures mean nothing
  --repeat <n>         repetitions of every contestant
  --rows <n>           rows of the table that is backfilled
  --seconds <n>        length of one measurement beside a foreground
  --seed <n>           for the foreground's schedule and rows (1)
  --postgres <major>   14 to 18, from the packages that the tests use (15)
  --no-fsync           keep the server from flushing to disk
  --set <name=value>   a setting of the server, for instance --set max_wal_size=8GB
  --pace <JSON>        beside a foreground, the default with other knobs too: --pace '{"sharedTargetMs":20}'
  --own-load           run the foreground by the load generator in Node although there is pgbench
  --json               print the raw values as JSON, and nothing else
  --docs               write the tables into docs/performance.md
  --from <file>        show an earlier run, or several, instead of measuring: bench/results/latest.json`

/** Reads the command line. Throws with a message for people. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      thorough: { type: 'boolean', default: false },
      rows: { type: 'string' },
      repeat: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      postgres: { type: 'string', default: '15' },
      'no-fsync': { type: 'boolean', default: false },
      set: { type: 'string', multiple: true, default: [] },
      pace: { type: 'string', multiple: true, default: [] },
      'own-load': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      docs: { type: 'boolean', default: false },
      from: { type: 'string', multiple: true, default: [] },
    },
  })
  const postgres = knownVersions.find((version) => version === values.postgres)
  if (postgres === undefined) throw new Error(`--postgres must be one of ${knownVersions.join(', ')}`)
  const { json, docs, from } = values
  return {
    postgres,
    fsync: !values['no-fsync'],
    ownLoad: values['own-load'],
    json,
    docs,
    from,
    effort: values.quick ? 'quick' : values.thorough ? 'thorough' : 'brief',
    only: values.only.flatMap((parts) => parts.split(',')),
    rows: wholeNumber('rows', values.rows),
    repeat: wholeNumber('repeat', values.repeat),
    seconds: wholeNumber('seconds', values.seconds),
    seed: wholeNumber('seed', values.seed) ?? 1,
    paces: values.pace.map((text) => JSON.parse(text) as AdaptivePaceOptions),
    settings: Object.fromEntries(values.set.map(setting)),
  }
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new Error(`--${name} must be a whole number above 0, not ${text}`)
}

function setting(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw new Error(`--set takes name=value, not ${text}`)
  return [text.slice(0, at), text.slice(at + 1)]
}
