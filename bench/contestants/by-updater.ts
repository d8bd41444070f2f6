import { BackgroundUpdater, backfill, type Database } from 'evenkeel'
import type { Backfiller } from './backfiller.js'
import type { Variant } from './variants.js'
import type { Work } from './work.js'

/** A table to backfill with Evenkeel. */
export interface UpdaterTable {
  readonly name: string
  /** Column → SQL, as `backfill` takes it. */
  readonly set: Readonly<Record<string, string>>
  /** A database of the contestant's own; `close` ends its connections. */
  readonly open: () => { readonly database: Database<never>; readonly close: () => Promise<void> }
}

/** Evenkeel's `backfill` in one of its settings, in the background loop as an application runs it. */
export function byUpdater(variant: Variant): Backfiller<UpdaterTable> {
  return {
    key: variant.key,
    title: variant.title,
    async run(table, work, { passes = false } = {}) {
      const { database, close } = table.open()
      try {
        await runUpdater(variant, database, table, work, passes)
      } finally {
        await close()
      }
    },
  }
}

async function runUpdater(
  variant: Variant,
  database: Database<never>,
  table: UpdaterTable,
  work: Work,
  passes: boolean,
): Promise<void> {
  const update = backfill<never>({ name: 'bench_backfill', table: table.name, set: table.set })
  const updater = new BackgroundUpdater({ database, updates: [update], ...variant.options() })
  await updater.install()
  await updater.enqueue(update)
  const failed = new Promise<never>((_, reject) => {
    updater.on('batch:failure', ({ error }) => reject(error))
    updater.on('update:fail', ({ error }) => reject(error))
  })
  const ended = new Promise<void>((resolve, reject) => {
    updater.on('batch:success', ({ items }) => work.batch(items))
    updater.on('update:complete', () => {
      if (passes && !work.stopped) updater.enqueue(update).catch(reject)
      else resolve()
    })
    work.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  work.start()
  await updater.start()
  try {
    await Promise.race([ended, failed])
  } finally {
    await updater.stop()
    await updater.cancel(update).catch(() => {})
  }
}
