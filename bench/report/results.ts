import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import path from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import type { BenchOptions } from '../options.js'
import type { Table } from './table.js'

/** What one part measured. */
export interface PartResult {
  readonly part: string
  /** How long it took. */
  readonly seconds: number
  readonly tables: readonly Table[]
}

/** Everything that one run measured, raw values included, as JSON keeps it. */
export interface RunResult {
  readonly startedAt: string
  readonly machine: string
  readonly postgres: string | null
  readonly options: BenchOptions
  readonly parts: readonly PartResult[]
}

const DIRECTORY = path.join(import.meta.dirname, '../results')

/** Keeps a run in bench/results, also as `latest.json`. Resolves to the file's name. */
export async function writeResult(result: RunResult): Promise<string> {
  await mkdir(DIRECTORY, { recursive: true })
  const text = `${JSON.stringify(result, null, 1)}\n`
  const file = path.join(DIRECTORY, `${result.startedAt.replaceAll(':', '-')}.json`)
  await writeFile(file, text)
  await writeFile(path.join(DIRECTORY, 'latest.json'), text)
  return path.relative(process.cwd(), file)
}

/** Earlier runs as one: of two that measured the same part the later one counts. */
export async function readResults(files: readonly string[]): Promise<RunResult> {
  const runs = await Promise.all(files.map(async (file) => parseResult(await readFile(file, 'utf8'))))
  const last = runs.at(-1)
  if (last === undefined) throw new Error('--from needs a file')
  const parts = new Map(runs.flatMap((run) => run.parts).map((part) => [part.part, part]))
  return {
    ...last,
    postgres: runs.findLast(({ postgres }) => postgres !== null)?.postgres ?? null,
    parts: [...parts.values()],
  }
}

// JSON has no NaN: it comes as null.
function parseResult(text: string): RunResult {
  const withNaN = (_key: string, value: unknown) =>
    Array.isArray(value) ? (value as unknown[]).map((entry) => entry ?? Number.NaN) : value
  return JSON.parse(text, withNaN) as RunResult
}

/** What it ran on, for people. */
export function machine(): string {
  const memory = new BetterSqlite3(':memory:')
  const sqlite = memory.prepare<[], string>('SELECT sqlite_version()').pluck().get()
  memory.close()
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  const model = cpus()[0]?.model.trim() ?? 'unknown'
  return `${cpus().length} × ${model}, ${gigabytes} GB, Node ${process.versions.node}, SQLite ${sqlite}`
}

/** A table of a run, wherever it is. */
export function findTable(parts: readonly PartResult[], id: string): Table | undefined {
  return parts.flatMap(({ tables }) => tables).find((table) => table.id === id)
}
