import { sized, type Bench } from '../bench.js'
import { startScript } from '../measure/run-script.js'
import { freshSubject as freshOnPostgres } from '../postgres/subject.js'
import type { Row, Table } from '../report/table.js'
import { freshSubject as freshOnSqlite } from '../sqlite/subject.js'
import type { MemoryRequest, MemorySample } from './memory-main.js'

// Small batches, many of them: what leaks a little with each batch shows.
const BATCH_SIZE = 500

/** What a process holds while a million rows go through it, row by row through TypeScript. */
export async function memoryByItems(bench: Bench): Promise<Table> {
  const items = sized(bench.options, { quick: 20_000, brief: 1_000_000, thorough: 1_000_000 })
  const postgres = await bench.postgres()
  const onPostgres = await freshOnPostgres(postgres, { rows: items, key: 'bigint', indexes: 0 })
  const onSqlite = freshOnSqlite(bench, { rows: items, key: 'integer', indexes: 0 })
  bench.progress(`memory over ${items.toLocaleString('en-US')} items`)
  const common = { items, batchSize: BATCH_SIZE }
  return {
    id: 'scale-memory',
    title: `Memory of the process over ${items.toLocaleString('en-US')} items`,
    notes: [`rowBackfill() in batches of at most ${BATCH_SIZE} rows; after a full garbage collection each time.`],
    columns: [
      { key: 'early', title: 'heap after a tenth, MB', format: 'MB' },
      { key: 'half', title: 'after half', format: 'MB' },
      { key: 'end', title: 'at the end', format: 'MB' },
      { key: 'resident', title: 'resident at the end', format: 'MB' },
    ],
    rows: [
      await measured('postgres', 'PostgreSQL', { database: { url: postgres.url }, table: onPostgres.name, ...common }),
      await measured('sqlite', 'SQLite', { database: { file: onSqlite.file }, table: onSqlite.name, ...common }),
    ],
  }
}

async function measured(key: string, title: string, request: MemoryRequest): Promise<Row> {
  const { output } = startScript(new URL('memory-main.ts', import.meta.url), request, ['--expose-gc'])
  const samples = JSON.parse(await output) as MemorySample[]
  const heapAt = (index: number) => (samples.at(index)?.heap ?? Number.NaN) / 1e6
  return {
    key,
    title,
    cells: {
      early: [heapAt(0)],
      half: [heapAt(Math.floor((samples.length - 1) / 2))],
      end: [heapAt(-1)],
      resident: [(samples.at(-1)?.resident ?? Number.NaN) / 1e6],
    },
  }
}
