import { setTimeout as delay } from 'node:timers/promises'
import { classifyError } from '../databases/error-class.js'

/** How often a batch is run again at once, before it counts as a failure. */
const MAX_RETRIES = 5

const FIRST_PAUSE_MS = 10

/**
 * Runs a batch again when the database could not put its transaction in an order with others (SQLSTATE 40001): nothing is
 * wrong with it, and the very same batch is what the database asks for. The pauses are 10 to 160 ms, each between half
 * and the whole, so that two that met don't meet again.
 *
 * @throws the error of the last try; any other error at once
 */
export async function retrySerialization<T>(
  attempt: () => Promise<T>,
  { signal, random }: { readonly signal: AbortSignal; readonly random: () => number },
): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (classifyError(error) !== 'serialization' || retries >= MAX_RETRIES || signal.aborted) throw error
    }
    await delay(FIRST_PAUSE_MS * 2 ** retries * (0.5 + random() / 2), undefined, { signal })
  }
}
