import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Dialect } from 'evenkeel'
import type { Death } from './fatal.js'

/** What a runner process is told. */
export interface RunnerJob {
  readonly scenario: string
  readonly dialect: Dialect
  /** A URL or a file name. */
  readonly database: string
  readonly death: Death | null
  /** Default: longer than any test. */
  readonly leaseMs?: number
}

/** A runner process on its way. */
export function startRunner(bundle: string, job: RunnerJob): { child: ChildProcess; ended: Promise<string[] | null> } {
  const child = spawn(process.execPath, [bundle, JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A runner that hangs is a failure; SIGTERM tells it from one that died.
    timeout: 60_000,
  })
  return { child, ended: ending(child, job) }
}

/** The statements of a process that ran to its end; null when it was killed. Anything else that happens is an error. */
export function runRunner(bundle: string, job: RunnerJob): Promise<string[] | null> {
  return startRunner(bundle, job).ended
}

async function ending(child: ChildProcessByStdio<null, Readable, Readable>, job: RunnerJob): Promise<string[] | null> {
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (...ending) => resolve(ending))
  })
  if (signal === 'SIGKILL') return null
  if (code !== 0) throw new Error(`the runner of ${JSON.stringify(job)} ended with ${code ?? signal}: ${stderr}`)
  return JSON.parse(stdout) as string[]
}
