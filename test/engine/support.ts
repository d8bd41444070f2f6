import type { BatchContext, BatchedUpdate, Clock, Logger, UpdaterEvents, UpdaterOptions } from 'evenkeel'
import { BackgroundUpdater, defineUpdate } from 'evenkeel'
import { onTestFinished } from 'vitest'
import type { EitherDatabase } from '../support/databases.js'

/** One entry of a log. */
export interface LogEntry {
  readonly level: keyof Logger
  readonly details: Record<string, unknown>
  readonly message: string
}

/** A logger that keeps everything. */
export function memoryLogger(): Logger & { readonly entries: LogEntry[]; texts(level: keyof Logger): string[] } {
  const entries: LogEntry[] = []
  const at = (level: keyof Logger) => (details: object, message: string) => {
    entries.push({ level, details: details as Record<string, unknown>, message })
  }
  return {
    entries,
    texts: (level) => entries.filter((entry) => entry.level === level).map((entry) => entry.message),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  }
}

/** An installed updater that is stopped when the test has finished. */
export async function installed(
  fresh: Pick<EitherDatabase, 'database'>,
  options: Omit<UpdaterOptions<never>, 'database'> = {},
): Promise<BackgroundUpdater<never>> {
  const updater = uninstalled(fresh, options)
  await updater.install()
  return updater
}

/** An updater that is stopped when the test has finished; the tables are somebody else's business. */
export function uninstalled(
  fresh: Pick<EitherDatabase, 'database'>,
  options: Omit<UpdaterOptions<never>, 'database'> = {},
): BackgroundUpdater<never> {
  const updater = new BackgroundUpdater<never>({
    logger: memoryLogger(),
    pollMs: 20,
    // The servers are shared by all tests: who else works there must not decide what comes of one.
    signals: false,
    ...options,
    database: fresh.database,
  })
  onTestFinished(() => updater.stop({ graceMs: 0 }))
  return updater
}

type Batch = (context: BatchContext<never, Record<string, never>>) => unknown

/** An update whose handler may return anything, as a careless user's may. */
export function update(
  name: string,
  batch: Batch,
  options: Partial<Parameters<typeof defineUpdate>[0]> = {},
): BatchedUpdate<never, never> {
  return defineUpdate({ name, ...options, batch: batch as never } as never) as never
}

/** An update that is done at once and says so in `ran`. */
export function noting(ran: string[], name: string): BatchedUpdate<never, never> {
  return update(name, async () => {
    ran.push(name)
    return { items: 1, done: true }
  })
}

/** A clock whose sleeps end at once and move the time, and which lets the handler move it. */
export function jumpingClock(): Clock & { readonly sleeps: number[]; pass(ms: number): void } {
  let now = 0
  const sleeps: number[] = []
  return {
    sleeps,
    nowMs: () => now,
    pass(ms) {
      now += ms
    },
    async sleep(ms) {
      sleeps.push(ms)
      now += Math.ceil(ms) // back-off is random: with its fraction, a difference of two times wouldn't be exact
    },
  }
}

/** Resolves with the next event of a name. */
export function next<Name extends keyof UpdaterEvents>(
  updater: BackgroundUpdater<never>,
  name: Name,
): Promise<UpdaterEvents[Name]> {
  return new Promise((resolve) => updater.once(name, resolve))
}

/** A promise and its resolver. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Counts the statements of a database, and may make any of them fail. */
export function observed(
  database: EitherDatabase['database'],
  before: (text: string) => void,
): EitherDatabase['database'] {
  return {
    dialect: database.dialect,
    capabilities: database.capabilities,
    transaction: (fn, options) => database.transaction(fn, options),
    session: (fn, options) =>
      database.session(
        (session) =>
          fn({
            ...session,
            query: async (text, values) => {
              before(text)
              return session.query(text, values)
            },
          }),
        options,
      ),
    query: async (tx, text, values) => {
      before(text)
      return database.query(tx, text, values)
    },
    close: () => database.close(),
  }
}
