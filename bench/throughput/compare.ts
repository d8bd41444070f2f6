import { sized, type Bench } from '../bench.js'
import type { Backfiller } from '../contestants/backfiller.js'
import { Work } from '../contestants/work.js'
import { rounds } from '../measure/rounds.js'
import type { Table } from '../report/table.js'

export interface ThroughputComparison<Subject> {
  readonly id: string
  readonly title: string
  readonly notes: readonly string[]
  readonly rows: number
  /** The first is what the others are held against. */
  readonly backfillers: readonly Backfiller<Subject>[]
  /** Rounds when time is short. */
  readonly briefRounds: number
  /** The table, made anew. */
  readonly fresh: () => Promise<Subject> | Subject
  /** Rows that weren't changed as they should. */
  readonly rowsLeft: (subject: Subject) => Promise<number> | number
}

/** Lets every contestant change the whole table with nobody else there, and counts rows a second. */
export async function compareThroughput<Subject>(
  { options, progress }: Bench,
  { id, title, notes, rows, backfillers, briefRounds, fresh, rowsLeft }: ThroughputComparison<Subject>,
): Promise<Table> {
  const repeat = options.repeat ?? sized(options, { quick: 1, brief: briefRounds, thorough: 5 })
  const patienceMs = sized(options, { quick: 2_500, brief: 3_500, thorough: 12_000 })
  const results = await rounds(backfillers, repeat, async (backfiller, round) => {
    progress(`${title}: ${backfiller.title}, ${round + 1} of ${repeat}`)
    const subject = await fresh()
    const { rate, complete } = await measureRate(backfiller, subject, patienceMs)
    if (complete && (await rowsLeft(subject)) > 0) throw new Error(`${backfiller.title} left rows out`)
    return rate
  })
  const single = results.get(backfillers[0] as Backfiller<Subject>) ?? []
  return {
    id,
    title,
    notes: [
      `${rows.toLocaleString('en-US')} rows, ${repeat} times; from the start to the last commit.`,
      `Whoever isn't through after ${patienceMs / 1_000} s is stopped and measured from its fifth batch on; one UPDATE has ten times as long.`,
      ...notes,
    ],
    columns: [
      { key: 'rate', title: 'rows/s', format: 'rows/s' },
      { key: 'ratio', title: '× one UPDATE', format: 'ratio' },
    ],
    rows: backfillers.map((backfiller) => {
      const rate = results.get(backfiller) ?? []
      return {
        key: backfiller.key,
        title: backfiller.title,
        // Of one round each: a slow round is slow for both.
        cells: { rate, ratio: rate.map((each, round) => each / (single[round] ?? Number.NaN)) },
      }
    }),
  }
}

async function measureRate<Subject>(backfiller: Backfiller<Subject>, subject: Subject, patienceMs: number) {
  const work = new Work()
  // One statement that was stopped has changed nothing: there would be nothing to hold the others against.
  const patience = setTimeout(() => work.stop(), backfiller.wholeTable === true ? 10 * patienceMs : patienceMs)
  try {
    await backfiller.run(subject, work)
  } finally {
    clearTimeout(patience)
  }
  const complete = !work.stopped
  return { complete, rate: complete ? work.rate() : work.settledRate() }
}
