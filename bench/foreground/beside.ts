import { sized, type Bench } from '../bench.js'
import type { Backfiller } from '../contestants/backfiller.js'
import { rounds } from '../measure/rounds.js'
import type { Row, Table } from '../report/table.js'
import { frontier } from './frontier.js'
import { latencyColumns } from './latency.js'
import { measureWindow, type Foreground, type WindowResult } from './window.js'

/** A foreground, and those who backfill beside it. */
export interface Comparison<Subject> {
  readonly id: string
  readonly title: string
  readonly notes: readonly string[]
  /** The foreground's loads by name. */
  readonly loads: readonly string[]
  /** How long one contestant is watched. */
  readonly seconds: number
  readonly backfillers: readonly Backfiller<Subject>[]
  /** Keys of those whom no figure asks for: when time is short, one round of theirs has to do. */
  readonly onlyShown?: readonly string[]
  readonly fresh: () => Promise<Subject> | Subject
  readonly foreground: (subject: Subject, seed: number) => Foreground
}

interface Contestant<Subject> {
  readonly key: string
  readonly title: string
  readonly backfiller: Backfiller<Subject> | null
}

/** Lets every contestant backfill beside a foreground, and asks the foreground how that was; with its frontier. */
export async function besideForeground<Subject>(bench: Bench, comparison: Comparison<Subject>): Promise<Table[]> {
  const { options, progress } = bench
  const { id, title, notes, loads, seconds, backfillers, onlyShown = [], fresh, foreground } = comparison
  const repeat = options.repeat ?? sized(options, { quick: 1, brief: 2, thorough: 3 })
  const idle: Contestant<Subject> = { key: 'idle', title: 'nothing running', backfiller: null }
  const contestants = [idle, ...backfillers.map((backfiller) => ({ ...backfiller, backfiller }))]
  const inHaste = options.repeat === undefined && options.effort === 'brief'
  const results = await rounds(
    contestants,
    repeat,
    async (contestant, round) => {
      progress(`${title}: ${contestant.title}, ${round + 1} of ${repeat}`)
      const subject = await fresh()
      return measureWindow(contestant.backfiller, subject, foreground(subject, options.seed + round), seconds)
    },
    ({ key }) => inHaste && onlyShown.includes(key),
  )
  const prefixes = loads.length > 1 ? loads : ['']
  const table: Table = {
    id,
    title,
    notes: [
      `${seconds} s, ${repeat} times${inHaste && onlyShown.length > 0 ? ' or, where no figure asks for it, once' : ''}; a contestant that is through begins anew. Its first second counts for the worst only.`,
      'Processors: how much of their time everybody took, the foreground and its load generator too.',
      'Stolen: of the processor time that this machine wanted, what its hypervisor gave to others. Latencies grow with it.',
      ...notes,
    ],
    columns: [
      { key: 'rate', title: 'rows/s', format: 'rows/s' },
      ...prefixes.flatMap((name) => latencyColumns(name)),
      { key: 'busy', title: 'processors', format: '%' },
      { key: 'steal', title: 'stolen', format: '%' },
    ],
    rows: contestants.map(({ key, title }, index) => ({
      key,
      title,
      cells: cellsOf(results.get(contestants[index] ?? idle) ?? [], loads, prefixes),
    })),
  }
  return [table, ...frontier(table, prefixes)]
}

function cellsOf(results: readonly WindowResult[], loads: readonly string[], prefixes: readonly string[]) {
  const cells: Record<string, readonly number[]> = {
    rate: results.map(({ rate }) => rate),
    busy: results.map(({ processors }) => processors.busy),
    steal: results.map(({ processors }) => processors.stolen),
  }
  loads.forEach((load, index) => {
    for (const { key, of } of latencyColumns(prefixes[index])) {
      cells[key] = results.map((result) => result.loads[load]?.[of] ?? Number.NaN)
    }
  })
  return cells satisfies Row['cells']
}
