import { BackgroundUpdater, defineUpdate, noPace, type Database } from 'evenkeel'

/** An updater with one update whose batches do nothing but move the progress on. */
export interface EmptyUpdate {
  /** Runs so many batches with `runToCompletion()`; ms. */
  toCompletion(batches: number): Promise<number>
  /** The same in the background loop that `start()` runs, without pauses. */
  inTheLoop(batches: number): Promise<number>
}

export async function emptyUpdate(database: Database<never>): Promise<EmptyUpdate> {
  const update = defineUpdate<never, { readonly done?: number; readonly batches?: number }>({
    name: 'empty',
    batch: async ({ progress: { done = 0, batches = 1 } }) => ({
      items: 0,
      progress: { done: done + 1, batches },
      done: done + 1 >= batches,
    }),
  })
  const updater = new BackgroundUpdater({ database, updates: [update], pace: noPace() })
  await updater.install()
  const enqueue = (batches: number) => updater.enqueue(update, { progress: { batches } })
  return {
    async toCompletion(batches) {
      await enqueue(batches)
      const startedMs = performance.now()
      await updater.runToCompletion()
      return performance.now() - startedMs
    },
    async inTheLoop(batches) {
      await enqueue(batches)
      const complete = new Promise<void>((resolve) => updater.once('update:complete', () => resolve()))
      const startedMs = performance.now()
      await updater.start()
      await complete
      const durationMs = performance.now() - startedMs
      await updater.stop()
      return durationMs
    },
  }
}
