import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { serverUser } from './postgres-binaries.js'

/** The real one, if it is installed: Debian's package is `pgbouncer`. */
export const pgbouncer: string | null = findPgBouncer()

/** How many connections to the server it has for a database. */
export const SERVER_CONNECTIONS = 4

function findPgBouncer(): string | null {
  const places = `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin`
  try {
    return execFileSync('sh', ['-c', 'command -v pgbouncer'], { env: { PATH: places }, encoding: 'utf8' }).trim()
  } catch {
    console.warn('PgBouncer is not installed: its tests are left out')
    return null
  }
}

/** A PgBouncer in transaction mode before the server of `url`, for one test. Returns the URL through it. */
export async function startPgBouncer(program: string, url: string): Promise<string> {
  const { hostname, port, username, password } = new URL(url)
  const folder = mkdtempSync(path.join(tmpdir(), 'evenkeel-pgbouncer-'))
  chmodSync(folder, 0o755)
  const own = await freePort()
  writeFileSync(path.join(folder, 'users.txt'), `"${username}" "${password}"\n`)
  writeFileSync(
    path.join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=${hostname} port=${port} user=${username} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = plain
auth_file = ${path.join(folder, 'users.txt')}
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS}
max_client_conn = 50
`,
  )
  // It refuses to run as root.
  const child = spawn(program, ['-q', path.join(folder, 'pgbouncer.ini')], {
    ...(await serverUser()),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const log: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text))
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  })
  const through = new URL(url)
  through.port = String(own)
  return through.href
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
