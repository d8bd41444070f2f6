import type { Database } from '../databases/database.js'
import { classifyError } from '../databases/error-class.js'
import type { DatabaseStatus, Status } from '../status.js'
import type { UpdaterOptions } from '../settings.js'
import { BackgroundUpdater } from '../updater.js'
import type { UpdateDefinition } from '../updates/definition.js'
import { silentLogger } from './output/shell-logger.js'
import { findTargets, type Target } from './targets.js'
import type { GlobalOptions, Shell } from './shell.js'

/** A database that is open, with its updater. */
export interface OpenTarget {
  readonly databaseName: string
  readonly definitions: Target['definitions']
  readonly updater: BackgroundUpdater<never>
  /** An updater of the same database that has only some of its updates. */
  updaterOf(updates: readonly UpdateDefinition<never, never>[]): BackgroundUpdater<never>
  status(): Promise<DatabaseStatus>
  close(): Promise<void>
}

export interface WithTargetsOptions {
  /** Whether our tables must be there. Default true. */
  readonly installed?: boolean
  /** Goes on when the database is away: a runner waits for it. Default false. */
  readonly mayBeAway?: boolean
  /** Held against the configuration before anything is opened. */
  readonly refuse?: (found: readonly Target[]) => void
  /** Options of the updaters that win over the configuration's. */
  readonly settings?: Partial<UpdaterOptions<never>>
}

/** Finds and opens the databases of a command, does the work, and closes them whatever happens. */
export async function withTargets<T>(
  shell: Shell,
  options: GlobalOptions,
  work: (targets: readonly OpenTarget[]) => Promise<T>,
  { installed = true, mayBeAway = false, refuse, settings = {} }: WithTargetsOptions = {},
): Promise<T> {
  const found = await findTargets(options, shell)
  refuse?.(found)
  const open: OpenTarget[] = []
  try {
    for (const target of found) {
      open.push(
        await openTarget(
          target,
          {
            // Without a configuration a missing handler is no news.
            logger: target.definitions === null ? silentLogger : shell.logger(options),
            ...(options.schema === undefined ? {} : { schema: options.schema }),
            ...settings,
          },
          !installed,
        ),
      )
    }
    if (installed) for (const { updater } of open) await checkInstallation(updater, mayBeAway)
    return await work(open)
  } finally {
    for (const target of open) await target.close()
  }
}

/** The status of all, in the one shape of `status()`. */
export async function statusOf(targets: readonly OpenTarget[]): Promise<Status> {
  const databases: Record<string, DatabaseStatus> = {}
  for (const target of targets) databases[target.databaseName] = await target.status()
  return { databases }
}

async function checkInstallation(updater: BackgroundUpdater<never>, mayBeAway: boolean): Promise<void> {
  try {
    await updater.checkInstallation()
  } catch (error) {
    if (!mayBeAway || classifyError(error) !== 'connection') throw error
  }
}

async function openTarget(
  target: Target,
  settings: Partial<UpdaterOptions<never>>,
  mayCreate: boolean,
): Promise<OpenTarget> {
  const { databaseName, definitions, options } = target
  const opened = await target.open(mayCreate)
  const { database } = opened
  try {
    const all = { ...options, ...settings, database, databaseName }
    const updater = new BackgroundUpdater<never>(all)
    return {
      databaseName,
      definitions,
      updater,
      updaterOf: (updates) => new BackgroundUpdater<never>({ ...all, updates }),
      status: () => (definitions === null ? statusWithoutHandlers(database, updater, all) : updater.databaseStatus()),
      close: () => opened.close(),
    }
  } catch (error) {
    await opened.close()
    throw error
  }
}

// Without a configuration no handler is known here, which says nothing about the queue: whoever runs it has them. So
// each row gets a stand-in, and the reasons that are left are the queue's own.
async function statusWithoutHandlers(
  database: Database<never>,
  updater: BackgroundUpdater<never>,
  options: UpdaterOptions<never>,
): Promise<DatabaseStatus> {
  const { updates } = await updater.databaseStatus()
  const standIns = updates.map(({ name }) => standIn(name))
  return new BackgroundUpdater<never>({ ...options, database, updates: standIns }).databaseStatus()
}

function standIn(name: string): UpdateDefinition<never, never> {
  return {
    name,
    kind: 'unknown',
    dependsOn: [],
    ordering: 0,
    initialProgress: {},
    settings: {},
    dialects: ['postgres', 'sqlite'],
    oneShot: false,
    batch: () => Promise.reject(new Error('a stand-in is never run')),
  }
}
