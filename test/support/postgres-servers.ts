import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  knownVersions,
  postgresBinaries,
  serverUser,
  type PostgresBinaries,
  type PostgresVersion,
  type ServerUser,
} from './postgres-binaries.js'

/** A connection URL (superuser, database `postgres`) for each version that runs. */
export type PostgresUrls = Partial<Record<PostgresVersion, string>>

export interface PostgresServers {
  urls: PostgresUrls
  /** Ends the servers and deletes their files. */
  stop(): Promise<void>
}

/** The versions that `EVENKEEL_TEST_POSTGRES` asks for, such as `15,18`; all that are available when it is unset. */
export function requestedVersions(available: readonly string[] = knownVersions): PostgresVersion[] {
  const request = process.env.EVENKEEL_TEST_POSTGRES?.trim()
  const words = request ? request.split(',').map((word) => word.trim()) : available
  return words.map((word) => {
    const version = knownVersions.find((known) => known === word)
    if (version && available.includes(version)) return version
    throw new Error(
      `There is no PostgreSQL '${word}' to test on: set EVENKEEL_TEST_POSTGRES to some of ${available.join(',')}`,
    )
  })
}

/** The servers of `EVENKEEL_TEST_POSTGRES_URLS` (printed by serve-postgres.ts), or nothing when it is unset. */
export function runningServers(): PostgresUrls | undefined {
  const urls = process.env.EVENKEEL_TEST_POSTGRES_URLS?.trim()
  if (!urls) return undefined
  try {
    return JSON.parse(urls) as PostgresUrls
  } catch (cause) {
    throw new Error('EVENKEEL_TEST_POSTGRES_URLS must be the JSON that serve-postgres.ts prints', { cause })
  }
}

/** Starts one fresh server for each version, all at once, on free ports of 127.0.0.1; `overrides` are settings of theirs. */
export async function startPostgresServers(
  versions: readonly PostgresVersion[],
  overrides: Readonly<Record<string, string>> = {},
): Promise<PostgresServers> {
  const directory = await mkdtemp(path.join(tmpdir(), 'evenkeel-postgres-'))
  await chmod(directory, 0o755)
  const caretaker = startCaretaker(directory)
  const stop = async () => {
    if (caretaker.exitCode !== null) return
    caretaker.ref()
    caretaker.stdin?.end()
    await once(caretaker, 'exit')
  }
  try {
    const user = await serverUser()
    const started = await Promise.all(
      versions.map(
        async (version) =>
          [version, await startServer(version, user, path.join(directory, version), overrides)] as const,
      ),
    )
    return { urls: Object.fromEntries(started), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/**
 * Ends the servers and deletes their files as soon as its standard input closes: when it is told to, and also when
 * this process dies of whatever cause (`kill -9` too), because then the operating system closes the pipe.
 */
const caretakerScript = `
trap '' INT TERM HUP
read -r _
pids=$(for file in "$1"/*/data/postmaster.pid; do [ -f "$file" ] && head -n 1 "$file"; done)
[ -n "$pids" ] && kill -QUIT $pids
for pid in $pids; do
  for _ in $(seq 100); do
    kill -0 "$pid" || break
    sleep 0.05
  done
done
for _ in $(seq 50); do
  rm -rf "$1" && break
  sleep 0.2
done
`

export function startCaretaker(directory: string): ChildProcess {
  // Detached, so that Ctrl-C, which the terminal sends to the whole group, doesn't reach it.
  const caretaker = spawn('sh', ['-c', caretakerScript, 'postgres-caretaker', directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  caretaker.unref()
  return caretaker
}

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '16MB',
  fsync: 'off',
  wal_level: 'replica',
}

async function startServer(
  version: PostgresVersion,
  user: ServerUser,
  directory: string,
  overrides: Readonly<Record<string, string>>,
): Promise<string> {
  const installed = await initialise(version, user, directory)
  const { port } = await serve(installed, overrides)
  return urlOf(installed, port)
}

/** A data directory of one version, ready to be served. */
export interface InitialisedServer {
  readonly binaries: PostgresBinaries
  readonly user: ServerUser
  /** What it may write to. */
  readonly directory: string
  readonly data: string
  readonly password: string
}

export async function initialise(
  version: PostgresVersion,
  user: ServerUser,
  directory: string,
): Promise<InitialisedServer> {
  await mkdir(directory)
  if ('uid' in user) await chown(directory, user.uid, user.gid)
  const password = randomBytes(12).toString('hex')
  const passwordFile = path.join(directory, 'password')
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if ('uid' in user) await chown(passwordFile, user.uid, user.gid)

  const binaries = await postgresBinaries(version, user, directory)
  const data = path.join(directory, 'data')
  const locale = process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8'
  await finished(
    launch(user, directory, binaries.initdb, [
      `--pgdata=${data}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=password',
      '--encoding=UTF8',
      `--locale=${locale}`,
      '--lc-messages=C',
      '--no-sync',
    ]),
  )
  return { binaries, user, directory, data, password }
}

/** Starts the server of a data directory, on a free port unless one is given. */
export async function serve(
  { binaries, user, directory, data }: InitialisedServer,
  overrides: Readonly<Record<string, string>>,
  fixedPort?: number,
): Promise<{ readonly port: number; readonly process: ChildProcess }> {
  // Between our asking for a free port and the server's taking it, another process may be faster.
  for (let attempt = 1; ; attempt++) {
    const port = fixedPort ?? (await freePort())
    const flags = Object.entries({ ...settings, ...overrides, port }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ])
    const server = launch(user, directory, binaries.postgres, ['-D', data, ...flags])
    try {
      await ready(server)
      return { port, process: server }
    } catch (error) {
      if (attempt === 5) throw error
    }
  }
}

/** Its superuser's connection URL. */
export function urlOf({ password }: InitialisedServer, port: number): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
}

function launch(user: ServerUser, directory: string, program: string, args: string[]): ChildProcess {
  const environment = { PATH: process.env.PATH, HOME: directory, LC_MESSAGES: 'C', TZ: 'UTC' }
  return spawn(program, args, { ...user, cwd: directory, env: environment, stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Resolves when the program has ended well; rejects with what it wrote when it hasn't. */
async function finished(program: ChildProcess): Promise<void> {
  let output = ''
  program.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [code] = (await once(program, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${program.spawnfile} ended with code ${code}: ${output}`)
}

/** Resolves when the server takes connections; rejects with its log when it ends before. */
function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = ''
    const onData = (chunk: Buffer) => {
      log += chunk.toString()
      // A standby says that they are read-only.
      if (!/database system is ready to accept (read-only )?connections/.test(log)) return
      // From now on the log is read and dropped: a full pipe would block the server.
      server.stderr?.off('data', onData).resume()
      resolve()
    }
    server.stderr?.on('data', onData)
    server.once('error', reject)
    server.once('close', (code) => reject(new Error(`${server.spawnfile} ended with code ${code}: ${log}`)))
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
