/** `rested` when the batch may start, `interrupted` when somebody wants the loop to look again. */
export type Rest = 'not needed' | 'rested' | 'interrupted'

/** The steps of a runner. Each is a room of its own; the loop only says in which order they come. */
export interface LoopSteps<Next> {
  /** The first runnable update by the queue's order, or null. */
  pick(): Promise<Next | null>
  /** Pauses before a batch. */
  rest(next: Next): Promise<Rest>
  /** One batch: fence, handler, progress, commit. */
  batch(next: Next): Promise<void>
  /** Waits until something may have become runnable. */
  idle(): Promise<void>
  /** The database is away, or the queue can't be read: waits, and returns, or throws what ends the runner. */
  recover(error: unknown): Promise<void>
}

/**
 * A background update runs like this, for ever: before every batch the queue is read anew, so that a lower ordering
 * that came meanwhile is next, and a pause, a cancel or a switch-off is obeyed at once.
 */
export async function runLoop<Next>(steps: LoopSteps<Next>, stop: AbortSignal): Promise<void> {
  let rested = false
  while (!stop.aborted) {
    try {
      const next = await steps.pick()
      if (next === null) {
        rested = false
        await steps.idle()
        continue
      }
      if (!rested) {
        const rest = await steps.rest(next)
        rested = rest === 'rested'
        // The queue may have changed while we slept: look again before the batch.
        if (rest !== 'not needed') continue
      }
      rested = false
      await steps.batch(next)
    } catch (error) {
      rested = false
      await steps.recover(error)
    }
  }
}
