import { sized, type Bench } from '../bench.js'
import type { Backfiller } from '../contestants/backfiller.js'
import { byUpdater } from '../contestants/by-updater.js'
import type { Variant } from '../contestants/variants.js'
import { keysetLoop, singleUpdate } from '../postgres/by-hand.js'
import { freshSubject, rowsLeft, type PostgresSubject, type SubjectShape } from '../postgres/subject.js'
import type { Effort } from '../options.js'
import type { Table } from '../report/table.js'
import { compareThroughput } from './compare.js'

// Beyond 5 000 rows a batch gains nothing any more.
const GOOD_BATCH_SIZE = 10_000

export interface ThroughputOptions {
  readonly part?: 'throughput' | 'lanes'
  readonly millions?: Readonly<Record<Effort, number>>
  /** Further contestants. */
  readonly others?: readonly Backfiller<PostgresSubject>[]
}

function millionsOf({ key, indexes }: Omit<SubjectShape, 'rows'>): Readonly<Record<Effort, number>> {
  if (indexes === 3) return { quick: 0.02, brief: 0.12, thorough: 1 }
  return key === 'uuid' ? { quick: 0.02, brief: 0.25, thorough: 1 } : { quick: 0.02, brief: 0.5, thorough: 3 }
}

/** Throughput of every contestant on an idle PostgreSQL, for one shape of the table. */
export async function throughputOnPostgres(
  bench: Bench,
  shape: Omit<SubjectShape, 'rows'>,
  variants: readonly Variant[],
  { part = 'throughput', millions = millionsOf(shape), others = [] }: ThroughputOptions = {},
): Promise<Table> {
  const postgres = await bench.postgres()
  const rows = bench.options.rows ?? sized(bench.options, millions) * 1_000_000
  // When time is short, the part `throughput` alone measures it there.
  const loops = part === 'lanes' && bench.options.effort === 'brief' ? [] : [keysetLoop(GOOD_BATCH_SIZE)]
  return compareThroughput(bench, {
    id: `${part}-postgres-${shape.key}-${shape.indexes}`,
    title: `${part === 'lanes' ? 'Lanes' : 'Throughput'} on an idle PostgreSQL, ${shape.key} key, ${shape.indexes === 0 ? 'no secondary index' : 'three secondary indexes'}`,
    notes: [`${postgres.about}.`],
    rows,
    backfillers: [singleUpdate, ...loops, ...variants.map(byUpdater), ...others],
    // No figure asks for this key.
    briefRounds: shape.key === 'uuid' ? 2 : 3,
    fresh: () => freshSubject(postgres, { ...shape, rows }),
    rowsLeft,
  })
}
