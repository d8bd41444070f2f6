import { ConfigurationError } from './errors.js'
import { describe, refuseProblems, requireReadable } from './options.js'
import type { DatabaseStatus, Status } from './status.js'
import type { UpdateReference } from './update-reference.js'
import type { BackgroundUpdater, StopOptions } from './updater.js'
import type { CompletionResult } from './run-to-completion.js'
import type { WaitOptions } from './wait-for.js'

/**
 * The updaters of several databases as one: one start, one stop, one status over all.
 *
 * @example
 * import { BackgroundUpdater, BackgroundUpdaterGroup, type Database, type UpdateDefinition } from 'evenkeel'
 *
 * export function everywhere(main: Database, state: Database, updates: UpdateDefinition<unknown>[]) {
 *   return new BackgroundUpdaterGroup([
 *     new BackgroundUpdater({ database: main, databaseName: 'main', updates }),
 *     new BackgroundUpdater({ database: state, databaseName: 'state', updates }),
 *   ])
 * }
 */
export class BackgroundUpdaterGroup {
  readonly #updaters: ReadonlyMap<string, BackgroundUpdater>

  /** @throws ConfigurationError when two updaters have the same `databaseName` */
  constructor(updaters: Iterable<BackgroundUpdater>) {
    requireReadable('BackgroundUpdaterGroup', updaters)
    if (typeof (updaters as Partial<typeof updaters> | null | undefined)?.[Symbol.iterator] !== 'function') {
      throw new ConfigurationError('BackgroundUpdaterGroup', ['give an array of updaters, one for each database'])
    }
    const byName = new Map<string, BackgroundUpdater>()
    const problems: string[] = []
    for (const updater of updaters) {
      if (typeof (updater as Partial<BackgroundUpdater> | null | undefined)?.databaseStatus !== 'function') {
        problems.push(`${describe(updater)} is no BackgroundUpdater`)
        continue
      }
      if (byName.has(updater.databaseName))
        problems.push(`two updaters have the databaseName "${updater.databaseName}"`)
      byName.set(updater.databaseName, updater)
    }
    if (byName.size === 0) problems.push('give at least one updater')
    refuseProblems('BackgroundUpdaterGroup', problems)
    this.#updaters = byName
  }

  /** Database names, in the order in which they were given. */
  get databaseNames(): readonly string[] {
    return [...this.#updaters.keys()]
  }

  /** @throws ConfigurationError when there is no such database */
  updater(databaseName: string): BackgroundUpdater {
    const updater = this.#updaters.get(databaseName)
    if (updater) return updater
    throw new ConfigurationError('BackgroundUpdaterGroup', [
      `there is no database "${databaseName}"; there are ${this.databaseNames.join(', ')}`,
    ])
  }

  async install(): Promise<void> {
    for (const updater of this.#updaters.values()) await updater.install()
  }

  /** Starts all; when one can't start, those that did are stopped again. */
  async start(): Promise<void> {
    try {
      await this.#all((updater) => updater.start())
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(options?: StopOptions): Promise<void> {
    await this.#all((updater) => updater.stop(options))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Runs all databases to completion, side by side; the results by database. */
  async runToCompletion(
    options: { readonly names?: readonly string[]; readonly signal?: AbortSignal } = {},
  ): Promise<Record<string, CompletionResult>> {
    return Object.fromEntries(
      await this.#all(async (updater) => [updater.databaseName, await updater.runToCompletion(options)] as const),
    )
  }

  /** Resolves when none of the updates is in any queue. */
  async waitFor(names: UpdateReference | readonly UpdateReference[], options?: WaitOptions): Promise<void> {
    await this.#all((updater) => updater.waitFor(names, options))
  }

  /** True when none of the names is in any queue. */
  async hasCompleted(...names: readonly UpdateReference[]): Promise<boolean> {
    return (await this.#all((updater) => updater.hasCompleted(...names))).every(Boolean)
  }

  async disable(reason: { readonly by?: string; readonly reason?: string } = {}): Promise<void> {
    await this.#all((updater) => updater.disable(reason))
  }

  async enable(): Promise<void> {
    await this.#all((updater) => updater.enable())
  }

  async status(): Promise<Status> {
    const databases: Record<string, DatabaseStatus> = {}
    const all = await this.#all(async (updater) => [updater.databaseName, await updater.databaseStatus()] as const)
    for (const [name, status] of all) databases[name] = status
    return { databases }
  }

  // Waits for all of them, also when one fails: nothing goes on unobserved.
  async #all<T>(work: (updater: BackgroundUpdater) => Promise<T>): Promise<T[]> {
    const settled = await Promise.allSettled([...this.#updaters.values()].map(work))
    const failed = settled.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
    return settled.map((result) => (result as PromiseFulfilledResult<T>).value)
  }
}
