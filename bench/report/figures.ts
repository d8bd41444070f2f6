import { median } from '../measure/summary.js'
import { gentleness } from './figures-gentleness.js'
import { findTable, type PartResult } from './results.js'
import { valuesOf } from './table.js'

/** One of the figures that Evenkeel is held to. */
export interface Figure {
  readonly what: string
  /** What is to be reached, for people. */
  readonly bound: string
  /** What was measured, for people; null where this run didn't measure it. */
  readonly measured: string | null
  readonly met: boolean | null
}

/** What a value is held to. */
export interface Bound {
  readonly atLeast?: number
  readonly atMost?: number
}

/** The figures that a run tells something about, in the order in which they are promised. */
export function figuresOf(parts: readonly PartResult[]): readonly Figure[] {
  const cell = (table: string, row: string, column: string) => median(valuesOf(findTable(parts, table), row, column))
  const ratio = (table: string, row: string) => cell(table, row, 'ratio')
  // Measured with bigger tables there: the first half second, which is the same in all, weighs less.
  const lanes = findTable(parts, 'lanes-postgres-bigint-3') ? 'lanes' : 'throughput'
  const idle = 'throughput-postgres-bigint-0'
  return [
    figure('default on idle PostgreSQL against one UPDATE, no secondary index', ratio(idle, 'default'), {
      atLeast: 0.9,
    }),
    figure('… three secondary indexes', ratio(`${lanes}-postgres-bigint-3`, 'default'), { atLeast: 0.88 }),
    figure('lanes 2 against one UPDATE, three indexes', ratio(`${lanes}-postgres-bigint-3`, 'lanes-2'), {
      atLeast: 1.25,
    }),
    figure(
      'default on idle PostgreSQL against the classic with its pause',
      cell(idle, 'default', 'rate') / cell(idle, 'classic', 'rate'),
      { atLeast: 10 },
    ),
    figure('an empty batch against three statements by hand, PostgreSQL', ratio('overhead-postgres', 'evenkeel'), {
      atMost: 1.15,
    }),
    figure('… SQLite, by hand with each commit flushed', ratio('overhead-sqlite', 'evenkeel'), { atMost: 1.15 }),
    figure('SQLite default against one UPDATE, no index', ratio('throughput-sqlite-integer-0', 'default'), {
      atLeast: 0.85,
    }),
    ...gentleness(parts),
    ...scaleFigures(parts),
    tunerFigure(parts),
  ]
}

/** A figure of a number; NaN was not measured. */
export function figure(what: string, value: number, { atLeast, atMost }: Bound, unit = '×'): Figure {
  const number = (of: number) => `${of.toFixed(2).replace(/\.?0+$/, '')}${unit === '' ? '' : ` ${unit}`}`
  return {
    what,
    bound: atLeast === undefined ? `≤ ${number(atMost ?? Number.NaN)}` : `≥ ${number(atLeast)}`,
    measured: Number.isNaN(value) ? null : number(value),
    met: Number.isNaN(value) ? null : atLeast === undefined ? value <= (atMost ?? Number.NaN) : value >= atLeast,
  }
}

function scaleFigures(parts: readonly PartResult[]): readonly Figure[] {
  const table = findTable(parts, 'scale-rows')
  const place = (rows: string, column: string) => valuesOf(table, rows, column)
  const least = table?.rows[0]?.key ?? ''
  const most = table?.rows.at(-1)?.key ?? ''
  const memory = findTable(parts, 'scale-memory')
  const growth = ['postgres', 'sqlite'].map(
    (row) => median(valuesOf(memory, row, 'end')) / median(valuesOf(memory, row, 'early')),
  )
  return [
    figure(
      'time of a batch in the biggest table against the smallest',
      pairedRatio(place(most, 'middle'), place(least, 'middle')),
      { atMost: 1.1 },
    ),
    figure('… at the end of the key against the start', pairedRatio(place(most, 'end'), place(most, 'start')), {
      atMost: 1.1,
    }),
    figure('heap at the end of a million items against a tenth of them', Math.max(...growth), { atMost: 1.1 }),
  ]
}

// Of one round each: a slow round is slow for both.
const pairedRatio = (values: readonly number[], against: readonly number[]): number =>
  median(values.map((value, round) => value / (against[round] ?? Number.NaN)))

// The noisy cases of the acceptance; test/unit/tuner-acceptance.test.ts holds all of them.
const TUNER_BOUNDS: Readonly<Record<string, number>> = {
  'settle-p50': 6,
  'settle-p90': 11,
  deviation: 0.06,
  'slower-p50': 3,
  'slower-p90': 10,
  'faster-p50': 4,
  'faster-p90': 9,
  'stray-p50': 1,
  'stray-p90': 3,
  cheap: 1.1,
}

function tunerFigure(parts: readonly PartResult[]): Figure {
  const table = findTable(parts, 'tuner')
  const missed = Object.entries(TUNER_BOUNDS).filter(
    ([column, bound]) => !(median(valuesOf(table, 'guardedTuner', column)) <= bound),
  )
  return {
    what: "the tuner's acceptance under noise",
    bound: 'all',
    measured:
      table === undefined
        ? null
        : missed.length === 0
          ? 'all'
          : `missed: ${missed.map(([column]) => column).join(', ')}`,
    met: table === undefined ? null : missed.length === 0,
  }
}
