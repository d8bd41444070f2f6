import { setImmediate as turn } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import type * as Evenkeel from 'evenkeel'
import type { WorkerUpdaterOptions } from 'evenkeel/worker'
import type * as EvenkeelWorker from 'evenkeel/worker'

// From dist/: a thread of Node loads JavaScript.
const load = (path: string): Promise<unknown> => import(new URL(`../../dist/${path}`, import.meta.url).href)

export const { WorkerUpdater, WorkerEndedError } = (await load('worker/index.js')) as typeof EvenkeelWorker
export const evenkeel = (await load('index.js')) as typeof Evenkeel

export type Updater = EvenkeelWorker.WorkerUpdater

/** Memory that the test and the handlers in the thread share. */
export class Flags {
  readonly shared = new SharedArrayBuffer(8)
  readonly #flags = new Int32Array(this.shared)

  /** Turns of this thread's event loop until the handler has come to its place. */
  async reached(): Promise<number> {
    let turns = 0
    for (; Atomics.load(this.#flags, 0) === 0; turns += 1) await turn()
    return turns
  }

  letGoOn(): void {
    Atomics.store(this.#flags, 1, 1)
    Atomics.notify(this.#flags, 1)
  }

  /** Whether the handler still waits to be let go on. */
  get holds(): boolean {
    return Atomics.load(this.#flags, 1) === 0
  }
}

/** An updater in a thread with the updates of `updates.mjs`; stopped when the test has finished. */
export function workerUpdater(
  database: string,
  flags = new Flags(),
  options: Partial<WorkerUpdaterOptions> = {},
): Updater {
  const updater = new WorkerUpdater({
    module: new URL('./updates.mjs', import.meta.url),
    data: { database, shared: flags.shared },
    ...options,
  })
  onTestFinished(async () => {
    flags.letGoOn()
    await updater.stop({ graceMs: 0 })
  })
  return updater
}
