/**
 * `npm run bench`: measures Evenkeel side by side with what one would write by hand, prints a table for every part and
 * keeps the raw values in bench/results. `npm run bench -- --help` tells the options. It measures the built package.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Bench, Part } from './bench.js'
import { readOptions, USAGE, type BenchOptions } from './options.js'
import { chosenParts } from './parts.js'
import { startBenchPostgres, type BenchPostgres } from './postgres/bench-postgres.js'
import { writeDocs } from './report/docs.js'
import { figuresOf } from './report/figures.js'
import { figuresText } from './report/figures-text.js'
import { machine, readResults, writeResult, type PartResult, type RunResult } from './report/results.js'
import { tableText } from './report/table.js'

if (process.argv.includes('--help')) {
  console.log(USAGE)
} else {
  await main()
}

async function main(): Promise<void> {
  const { options, parts } = readCommandLine()
  const say = (text: string) => (options.json ? undefined : console.log(text))
  const result = options.from.length > 0 ? await readResults(options.from) : await measure(options, parts, say)
  if (options.from.length > 0)
    for (const { tables } of result.parts) for (const table of tables) say(`${tableText(table)}\n`)
  const figures = figuresOf(result.parts).filter(({ met }) => met !== null)
  if (figures.length > 0) say(`### The figures\n\n${figuresText(figures)}\n`)
  if (options.json) console.log(JSON.stringify(result))
  if (options.docs) await writeDocs(result)
}

async function measure(options: BenchOptions, parts: readonly Part[], say: (text: string) => void): Promise<RunResult> {
  const startedAt = new Date().toISOString()
  say(`${machine()}\n`)
  const measured: PartResult[] = []
  const postgres = await withBench(options, async (bench) => {
    for (const part of parts) {
      const startedMs = performance.now()
      const tables = await part.run(bench)
      const seconds = Math.round((performance.now() - startedMs) / 100) / 10
      bench.progress('')
      for (const table of tables) say(`${tableText(table)}\n`)
      say(`(${part.name} took ${seconds} s)\n`)
      measured.push({ part: part.name, seconds, tables })
    }
  })
  const result: RunResult = { startedAt, machine: machine(), postgres, options, parts: measured }
  // Whoever asks for JSON has it on his standard output.
  if (options.json) return result
  const file = await writeResult(result)
  say(`${Math.round(measured.reduce((sum, { seconds }) => sum + seconds, 0))} s in all. Raw values: ${file}\n`)
  return result
}

function readCommandLine() {
  try {
    const options = readOptions(process.argv.slice(2))
    return { options, parts: chosenParts(options.only) }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    process.exit(64)
  }
}

/** Sets up what the parts share, and takes it down whatever happens. Resolves to what the server was, if there was one. */
async function withBench(options: BenchOptions, work: (bench: Bench) => Promise<void>): Promise<string | null> {
  const directory = await mkdtemp(path.join(tmpdir(), 'evenkeel-bench-'))
  let server: Promise<BenchPostgres> | null = null
  const bench: Bench = {
    options,
    directory,
    postgres: () => (server ??= startBenchPostgres(options)),
    progress(text) {
      // On a terminal one line that is overwritten; elsewhere nothing, for a file wants tables only.
      if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
    },
  }
  try {
    await work(bench)
    return server === null ? null : (await (server as Promise<BenchPostgres>)).about
  } finally {
    if (server !== null) await (server as Promise<BenchPostgres>).then((started) => started.stop())
    await rm(directory, { recursive: true, force: true })
  }
}
