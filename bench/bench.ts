import type { BenchOptions, Effort } from './options.js'
import type { BenchPostgres } from './postgres/bench-postgres.js'
import type { Table } from './report/table.js'

/** What the parts of the benchmark share. */
export interface Bench {
  readonly options: BenchOptions
  /** The server of this run; started when a part asks for it first. */
  readonly postgres: () => Promise<BenchPostgres>
  /** A folder for SQLite files, deleted at the end. */
  readonly directory: string
  /** One line of what is under way. */
  readonly progress: (text: string) => void
}

/** One part of the benchmark: its tables are what is printed and kept. */
export interface Part {
  readonly name: string
  run(bench: Bench): Promise<Table[]>
}

/** What a part takes when the command line says nothing. */
export function sized<Value>({ effort }: BenchOptions, sizes: Readonly<Record<Effort, Value>>): Value {
  return sizes[effort]
}
