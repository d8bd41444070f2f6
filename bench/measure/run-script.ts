import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const TYPESCRIPT = ['--import', import.meta.resolve('jiti/register')]
const READY = 'ready\n'

/** A script of the benchmark that runs in a process of its own. */
export interface RunningScript {
  /** Resolves when the script has said `sayReady()`: what comes before is its start-up. */
  readonly ready: Promise<void>
  /** What it printed; rejects when it fails. */
  readonly output: Promise<string>
}

/** Runs a script of the benchmark in a process of its own; `input` is JSON for it. */
export function startScript(script: URL, input: unknown, nodeOptions: readonly string[] = []): RunningScript {
  const args = [...nodeOptions, ...TYPESCRIPT, fileURLToPath(script), JSON.stringify(input)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: string[] = []
  const { promise: ready, resolve: isReady } = withResolvers()
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    chunks.push(chunk)
    isReady()
  })
  const output = new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      isReady()
      if (code === 0) resolve(chunks.join('').replace(READY, ''))
      else reject(new Error(`${script.pathname} ended with code ${code}`))
    })
  })
  return { ready, output }
}

/** For the script: what `startScript` was told. */
export function scriptInput<Input>(): Input {
  return JSON.parse(process.argv[2] ?? 'null') as Input
}

/** For the script: it is set up and begins now. */
export function sayReady(): void {
  process.stdout.write(READY)
}

// Promise.withResolvers() came with Node 22.
function withResolvers() {
  let resolve = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
