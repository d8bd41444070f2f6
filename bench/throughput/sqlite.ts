import { sized, type Bench } from '../bench.js'
import { byUpdater } from '../contestants/by-updater.js'
import type { Variant } from '../contestants/variants.js'
import type { Table } from '../report/table.js'
import { keysetLoop, singleUpdate } from '../sqlite/by-hand.js'
import { freshSubject, rowsLeft, type SqliteShape } from '../sqlite/subject.js'
import { compareThroughput } from './compare.js'

// About 10 ms without an index.
const GOOD_BATCH_SIZE = 20_000

/** Throughput of every contestant on a SQLite file that nobody else uses, for one shape of the table. */
export async function throughputOnSqlite(
  bench: Bench,
  shape: Omit<SqliteShape, 'rows'>,
  variants: readonly Variant[],
): Promise<Table> {
  const millions = { quick: 0.02, brief: shape.indexes === 0 ? 1 : 0.1, thorough: shape.indexes === 0 ? 3 : 1 }
  const rows = bench.options.rows ?? sized(bench.options, millions) * 1_000_000
  return compareThroughput(bench, {
    id: `throughput-sqlite-${shape.key}-${shape.indexes}`,
    title: `Throughput on an idle SQLite, ${shape.key} key, ${shape.indexes === 0 ? 'no secondary index' : 'three secondary indexes'}`,
    notes: ['A file in WAL mode, `better-sqlite3`.'],
    rows,
    // No figure asks for the others.
    briefRounds: shape.key === 'integer' && shape.indexes === 0 ? 3 : 2,
    backfillers: [singleUpdate, keysetLoop(GOOD_BATCH_SIZE), ...variants.map(byUpdater)],
    fresh: () => freshSubject(bench, { ...shape, rows }),
    rowsLeft,
  })
}
