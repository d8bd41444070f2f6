import { BackgroundUpdater, noPace, type Database, type Pace, type TunerFactory, type UpdateDefinition } from 'evenkeel'
import { onTestFinished } from 'vitest'
import type { EitherDatabase } from './databases.js'

/** Batches of exactly these sizes, again from the first when all were used. */
export function batchesOf(...sizes: readonly number[]): TunerFactory {
  let used = 0
  return () => ({
    next: () => sizes[used % sizes.length] ?? 1,
    record: () => {
      used += 1
    },
    snapshot: () => null,
    explain: () => [],
  })
}

type AnyUpdate = UpdateDefinition<never, never>

/** An installed updater over a fresh database, with the update in its queue. */
export async function queued(
  { database }: Pick<EitherDatabase, 'database'> | { readonly database: Database<never> },
  update: AnyUpdate,
  sizes: readonly number[] = [7],
): Promise<BackgroundUpdater<never>> {
  const updater = updaterOf(database, update, sizes)
  await updater.install()
  await updater.enqueue(update)
  return updater
}

/** Another updater of the same database, as after a restart. */
export function updaterOf(
  database: Database<never>,
  update: AnyUpdate,
  sizes: readonly number[] = [7],
  pace: Pace = noPace(),
): BackgroundUpdater<never> {
  const updater = new BackgroundUpdater<never>({
    database,
    updates: [update] as never,
    tuner: batchesOf(...sizes),
    pace,
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  })
  onTestFinished(() => updater.stop())
  return updater
}

/** Runs batch after batch, calling `between` after each, until the queue is empty; gives up after `limit`. */
export async function runAll(
  updater: BackgroundUpdater<never>,
  between: (batch: number) => Promise<void> | void = () => {},
  limit = 5_000,
): Promise<number> {
  for (let batch = 1; batch <= limit; batch += 1) {
    const { ran, complete } = await updater.runNextBatch()
    if (complete) return batch
    if (ran === null) throw new Error(`nothing can run: ${JSON.stringify(await updater.status())}`)
    await between(batch)
  }
  throw new Error(`not finished after ${limit} batches`)
}
