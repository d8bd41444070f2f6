import { pathToFileURL } from 'node:url'
import { isAbsolute } from 'node:path'
import { ConfigurationError } from '../errors.js'
import { UpdaterEmitter, type UpdaterEvents } from '../observe/events.js'
import { harmless, stderrLogger, type Logger } from '../observe/logger.js'
import { describe, unknownOptionProblems } from '../options.js'
import type { EnqueueOptions } from '../queue/control.js'
import type { UpdateReference } from '../update-reference.js'
import type { BackgroundUpdater } from '../updater.js'
import type { Method, ThreadData } from './protocol.js'
import { WorkerEndedError, WorkerThread, type ThreadParts } from './worker-thread.js'

// Why a class of its own, and not an option `worker` of BackgroundUpdater: with a worker, nothing else of that
// constructor may be given, for handlers, adapters, clocks, tuners and loggers can't cross a thread, and half of the
// class (registerController, database, enqueue with a transaction) couldn't work. Two classes with the same verbs say
// that in their types, and an application that doesn't use threads loads nothing of them.

export interface WorkerUpdaterOptions {
  /**
   * The module that has the updates, as a URL, such as `new URL('./updates.js', import.meta.url)`, or an absolute file
   * name. Its default export is what `defineConfig` takes, or a function of `data` that returns that or a
   * `BackgroundUpdater`. It is loaded in the thread, so the database that it names is opened there.
   */
  readonly module: URL | string
  /** Which database of a configuration with several; else the name of the only one. Default `main`. */
  readonly databaseName?: string
  /** Handed to the module's function; a copy, as `structuredClone` makes it. */
  readonly data?: unknown
  /** Hears of listeners that throw. What the updater itself logs is the module's to set. Default: stderr. */
  readonly logger?: Logger
  /** The thread's environment. Default: that of this thread. */
  readonly env?: ThreadParts['options']['env']
  /** Options of Node for the thread, for instance `['--import', 'tsx']` for a module in TypeScript. */
  readonly execArgv?: string[]
  /** How much memory the thread may take; beyond it the thread ends, not the process. */
  readonly resourceLimits?: ThreadParts['options']['resourceLimits']
}

const OPTIONS = ['module', 'databaseName', 'data', 'logger', 'env', 'execArgv', 'resourceLimits']

/** The verbs of an updater that work from another thread. */
type Verbs<Name extends keyof BackgroundUpdater> = Pick<BackgroundUpdater, Name>

/**
 * An updater in a worker thread: no batch ever holds the event loop of this one. It has the verbs and the events of a
 * `BackgroundUpdater`; the thread begins with the first call, and `stop()` ends it.
 *
 * The thread keeps the process alive from `start()` to `stop()` and while a call is under way, not otherwise. When it
 * ends by itself, whatever is under way rejects with `WorkerEndedError`, `updater:stop` tells it, and the next call
 * makes another thread.
 *
 * @throws ConfigurationError naming every option that is wrong
 * @example
 * import { WorkerUpdater } from 'evenkeel/worker'
 *
 * const updater = new WorkerUpdater({ module: new URL('./updates.js', import.meta.url) })
 * await updater.install()
 * await updater.enqueue('lowercase_emails')
 * await updater.start()
 */
export class WorkerUpdater implements Verbs<Exclude<Method, 'enqueue'>> {
  readonly #options: Omit<WorkerUpdaterOptions, 'module'>
  readonly #module: string
  readonly #events: UpdaterEmitter
  // Invariant: the newest thread, or null after its end.
  #thread: WorkerThread | null = null
  #stopping: Promise<void> | null = null

  constructor(options: WorkerUpdaterOptions) {
    const { module, ...others } = options ?? {}
    const url = moduleUrl(module)
    const problems = unknownOptionProblems(options ?? {}, OPTIONS)
    if (url === null) problems.push(`module must be a file: URL or an absolute file name, not ${describe(module)}`)
    if (url === null || problems.length > 0) throw new ConfigurationError('WorkerUpdater', problems)
    this.#module = url
    this.#options = others
    this.#events = new UpdaterEmitter(harmless(options.logger ?? stderrLogger))
  }

  /** Begins to run the queue, in the thread. Called twice, it is started once. */
  async start(): Promise<void> {
    const thread = await this.#ready()
    thread.hold(true)
    try {
      await thread.call('start', [])
    } catch (error) {
      thread.hold(false)
      throw error
    }
  }

  /** Stops the updater as `BackgroundUpdater.stop()` does, closes its database, and ends the thread. */
  async stop(options: { readonly graceMs?: number } = {}): Promise<void> {
    const thread = this.#thread
    if (thread === null) return
    const stopped = thread.call('stop', [options]).catch(unlessEnded)
    if (this.#stopping !== null) {
      // A second one may be less patient; both end with the thread.
      await stopped
      return this.#stopping
    }
    this.#stopping = stopped
      .then(() => thread.close())
      .finally(() => {
        this.#stopping = null
      })
    return this.#stopping
  }

  /** Ends the thread at once, whatever it does: the running batch is rolled back, its lease runs out by itself. */
  async terminate(): Promise<void> {
    await this.#thread?.terminate()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** As that of `BackgroundUpdater`; a transaction of this thread can't be joined. */
  async enqueue(update: UpdateReference, options: Omit<EnqueueOptions<unknown>, 'tx'> = {}): Promise<boolean> {
    if ('tx' in options && options.tx !== undefined) {
      throw new ConfigurationError('enqueue', [
        'tx is a transaction of this thread, which the worker can’t join: write the row with an INSERT, or enqueue without tx',
      ])
    }
    return (await this.#call('enqueue', [nameOf(update), options])) as boolean
  }

  async waitFor(
    names: UpdateReference | readonly UpdateReference[],
    options: Parameters<BackgroundUpdater['waitFor']>[1] = {},
  ): Promise<void> {
    const list = Array.isArray(names) ? (names as readonly UpdateReference[]) : [names as UpdateReference]
    await this.#call('waitFor', [list.map(nameOf), options])
  }

  async runToCompletion(options: Parameters<BackgroundUpdater['runToCompletion']>[0] = {}) {
    const names = options.names?.map(nameOf)
    const given = names === undefined ? options : { ...options, names }
    return (await this.#call('runToCompletion', [given])) as Awaited<ReturnType<BackgroundUpdater['runToCompletion']>>
  }

  async hasCompleted(...names: readonly UpdateReference[]): Promise<boolean> {
    return (await this.#call('hasCompleted', names.map(nameOf))) as boolean
  }

  readonly install = this.#verb('install')
  readonly checkInstallation = this.#verb('checkInstallation')
  readonly runNextBatch = this.#verb('runNextBatch')
  readonly currentUpdate = this.#verb('currentUpdate')
  readonly status = this.#verb('status')
  readonly databaseStatus = this.#verb('databaseStatus')
  readonly performance = this.#verb('performance')
  readonly history = this.#verb('history')
  readonly quarantined = this.#verb('quarantined')
  readonly pause = this.#verb('pause')
  readonly resume = this.#verb('resume')
  readonly cancel = this.#verb('cancel')
  readonly retry = this.#verb('retry')
  readonly set = this.#verb('set')
  readonly settings = this.#verb('settings')
  readonly audit = this.#verb('audit')
  readonly why = this.#verb('why')
  readonly disable = this.#verb('disable')
  readonly enable = this.#verb('enable')

  on<Name extends keyof UpdaterEvents>(name: Name, listener: (event: UpdaterEvents[Name]) => void): this {
    this.#events.on(name, listener)
    return this
  }

  once<Name extends keyof UpdaterEvents>(name: Name, listener: (event: UpdaterEvents[Name]) => void): this {
    this.#events.once(name, listener)
    return this
  }

  off<Name extends keyof UpdaterEvents>(name: Name, listener: (event: UpdaterEvents[Name]) => void): this {
    this.#events.off(name, listener)
    return this
  }

  // A verb that takes an update, or nothing, before its options.
  #verb<Name extends Method>(method: Name): BackgroundUpdater[Name] {
    const verb = (...args: readonly unknown[]) => this.#call(method, args.map(crossable))
    return verb as unknown as BackgroundUpdater[Name]
  }

  async #call(method: Method, args: readonly unknown[]): Promise<unknown> {
    return (await this.#ready()).call(method, args)
  }

  // The thread, after a stop() that is under way.
  async #ready(): Promise<WorkerThread> {
    while (this.#stopping !== null) await this.#stopping.catch(() => {})
    this.#thread ??= this.#newThread()
    return this.#thread
  }

  #newThread(): WorkerThread {
    const { databaseName, data, env, execArgv, resourceLimits } = this.#options
    const threadData: ThreadData = { module: this.#module, databaseName, data }
    const thread: WorkerThread = new WorkerThread({
      data: threadData,
      options: { env, execArgv, resourceLimits },
      onEvent: (name, event) => {
        // Strict mode gave up: nothing runs any more, so nothing keeps the process alive.
        if (name === 'updater:stop') thread.hold(false)
        this.#events.emit(name, event)
      },
      onEnd: (error) => {
        if (this.#thread === thread) this.#thread = null
        if (error !== null) this.#events.emit('updater:stop', { databaseName: databaseName ?? 'main', error })
      },
    })
    return thread
  }
}

function moduleUrl(module: unknown): string | null {
  if (module instanceof URL) return module.protocol === 'file:' ? module.href : null
  if (typeof module !== 'string') return null
  if (module.startsWith('file:')) return URL.canParse(module) ? module : null
  return isAbsolute(module) ? pathToFileURL(module).href : null
}

// A definition has functions, which can't cross; its name is enough, for the thread has it too.
function nameOf(update: UpdateReference): string {
  return typeof update === 'object' && update !== null ? update.name : update
}

function crossable(arg: unknown): unknown {
  if (typeof arg !== 'object' || arg === null) return arg
  if ('kind' in arg && 'name' in arg) return arg.name
  return 'update' in arg ? { ...arg, update: crossable(arg.update) } : arg
}

// Whoever wants it to end has what he wants.
function unlessEnded(error: unknown): void {
  if (!(error instanceof WorkerEndedError)) throw error
}
