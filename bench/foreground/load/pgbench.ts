import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { SUBJECT } from '../../postgres/subject.js'
import { readLog, type LoadGenerator } from './load.js'

const run = promisify(execFile)

const DEBIAN = '/usr/lib/postgresql'

/** pgbench's own program: on the path, or where Debian puts it. */
export function findPgbench(): string | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort().reverse() : []
  const folders = [...(process.env.PATH ?? '').split(':'), ...versions.map((version) => `${DEBIAN}/${version}/bin`)]
  return folders.map((folder) => path.join(folder, 'pgbench')).find((file) => existsSync(file)) ?? null
}

/** Foreground by pgbench. With a rate, its log's time counts from when a transaction was due, schedule lag included. */
export function pgbench(program: string, url: string, directory: string): LoadGenerator {
  let runs = 0
  return {
    about: `pgbench (${program})`,
    async run({ script, rate, clients, seconds, seed, rows }) {
      const prefix = `pgbench-${(runs += 1)}`
      const file = path.join(directory, 'same.sql')
      await writeFile(file, sameTable(rows))
      const how = script === 'same' ? ['--no-vacuum', `--file=${file}`] : ['--builtin=tpcb-like']
      const log = run(
        program,
        [
          ...how,
          ...(rate === null ? [] : [`--rate=${rate}`]),
          `--client=${clients}`,
          '--jobs=1',
          '--protocol=prepared',
          `--time=${seconds}`,
          `--random-seed=${seed}`,
          '--log',
          `--log-prefix=${prefix}`,
          url,
        ],
        { cwd: directory },
      ).then(() => readLogs(directory, prefix))
      return { log }
    },
  }
}

const sameTable = (rows: number) => `\\set id random(1, ${rows})
UPDATE ${SUBJECT} SET touched = touched + 1 WHERE id = :id;
`

async function readLogs(directory: string, prefix: string) {
  const files = (await readdir(directory)).filter((file) => file.startsWith(`${prefix}.`))
  const texts = await Promise.all(files.map((file) => readFile(path.join(directory, file), 'utf8')))
  await Promise.all(files.map((file) => rm(path.join(directory, file))))
  return texts.flatMap(readLog)
}
