import { median } from '../measure/summary.js'
import { figure, type Figure } from './figures.js'
import { findTable, type PartResult } from './results.js'
import { valuesOf, type Table } from './table.js'

const EVENKEEL = ['gentle', 'default', 'fast']
const TARGET_MS = 100

/** A foreground, and the table of what it felt. */
interface Felt {
  readonly name: string
  readonly table: Table | undefined
}

/** The figures about what a foreground feels. */
export function gentleness(parts: readonly PartResult[]): readonly Figure[] {
  const other: Felt = { name: 'other tables', table: findTable(parts, 'foreground-postgres-other') }
  const same: Felt = { name: 'same table', table: findTable(parts, 'foreground-postgres-same') }
  const closed = findTable(parts, 'foreground-postgres-other-closed')
  return [
    ...[other, same].flatMap(frontierFigures),
    figure(
      'worst stall of a writer on the same table, default',
      cell(same, 'default', 'worst'),
      { atMost: 1.2 * TARGET_MS + (cell(same, 'idle', 'worst') || 0) },
      'ms',
    ),
    figure(
      'near saturation: throughput that the foreground keeps, default',
      median(valuesOf(closed, 'default', 'tps')) / median(valuesOf(closed, 'idle', 'tps')),
      { atLeast: 0.95 },
    ),
    figure(
      '… and rows/s of the backfill meanwhile',
      median(valuesOf(closed, 'default', 'rate')),
      { atLeast: 1 },
      'rows/s',
    ),
  ]
}

function frontierFigures(felt: Felt): readonly Figure[] {
  const idle = cell(felt, 'idle', 'p99')
  const classic = { p99: cell(felt, 'classic', 'p99'), rate: rate(felt, 'classic') }
  const asFast = EVENKEEL.filter((key) => rate(felt, key) >= classic.rate).map((key) => cell(felt, key, 'p99'))
  const asGentle = EVENKEEL.filter((key) => cell(felt, key, 'p99') <= classic.p99).map((key) => rate(felt, key))
  const measured = !Number.isNaN(classic.p99) && EVENKEEL.some((key) => !Number.isNaN(rate(felt, key)))
  return [
    figure(
      `${felt.name}: rise of p99 over idle at the classic's rows/s or more, against the classic's rise`,
      // Nobody of ours as fast as the classic: missed by any length.
      measured ? (Math.min(...asFast) - idle) / (classic.p99 - idle) : Number.NaN,
      { atMost: 1 / 3 },
    ),
    figure(
      `${felt.name}: rows/s at the classic's p99 or less, against the classic's`,
      measured ? Math.max(0, ...asGentle) / classic.rate : Number.NaN,
      { atLeast: 4 },
    ),
    figure(`${felt.name}: p99 over idle, preset gentle`, cell(felt, 'gentle', 'p99') / idle, { atMost: 1.25 }),
  ]
}

const rate = ({ table }: Felt, row: string) => median(valuesOf(table, row, 'rate'))

const cell = ({ table }: Felt, row: string, column: string) => median(valuesOf(table, row, column))
