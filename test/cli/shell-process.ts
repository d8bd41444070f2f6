import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../support/sqlite.js'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** What a command printed and how it ended. */
export interface Ended {
  /** The exit code, or null when a signal killed it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A folder to give commands in, with files in it and an environment of its own. */
export class Project {
  readonly folder = temporaryDirectory()
  readonly environment: Record<string, string> = {}

  write(name: string, text: string): this {
    const file = path.join(this.folder, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, text)
    return this
  }

  file(name: string): string {
    return path.join(this.folder, name)
  }

  start(...args: readonly string[]): ShellProcess {
    return new ShellProcess(args, this.folder, this.environment)
  }

  run(...args: readonly string[]): Promise<Ended> {
    return this.start(...args).ended
  }
}

/** The real command in a process of its own, its output in pipes. Killed when the test ends. */
export class ShellProcess {
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  #stdout = ''
  #stderr = ''
  #onOutput = () => {}
  #over = false

  constructor(args: readonly string[], folder: string, environment: Record<string, string>) {
    if (!existsSync(main)) throw new Error(`${main} is missing: run \`npm run build\` before the tests of the shell`)
    this.#child = spawn(process.execPath, [main, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TZ: 'UTC', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
      this.#onOutput()
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
      this.#onOutput()
    })
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code) => {
        this.#over = true
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr })
        this.#onOutput()
      })
    })
    onTestFinished(async () => {
      this.kill('SIGKILL')
      await this.ended
    })
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#over) this.#child.kill(signal)
  }

  /** Nobody reads its stdout any more: what it writes from now on fails, as behind `| head`. */
  closeStdout(): void {
    this.#child.stdout?.destroy()
  }

  /** Waits until what it printed matches `times` times; false when it ended before. */
  async prints(pattern: RegExp, times = 1): Promise<boolean> {
    const global = new RegExp(pattern.source, `${pattern.flags.replace('g', '')}g`)
    for (;;) {
      if ((`${this.#stdout}${this.#stderr}`.match(global)?.length ?? 0) >= times) return true
      if (this.#over) return false
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve
      })
    }
  }
}
