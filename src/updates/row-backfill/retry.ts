import { InvalidQueueRowError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import { sameKey, type EncodedKey } from '../../keyset/encoding.js'
import { keyParameters } from '../../keyset/range.js'
import type { WalkPlan } from '../../keyset/walk.js'
import type { BatchContext } from '../definition.js'
import { savedCount } from '../walk/progress.js'
import { handleRows } from './handle-rows.js'
import type { RowBackfillOptions } from './options.js'
import { readRow, type KeyedRow, type RowSelection } from './read-rows.js'

/** Where a retry of the rows in quarantine is. */
export type Retry = {
  /** The entry that was tried last. */
  readonly lastId: number
  readonly tried: number
  /** Rows that failed again and stay in quarantine. */
  readonly failedAgain: number
}

/** Tries the next rows in quarantine again; those that succeed, are gone, or need no change any more leave it. */
export async function retryBatch<Row extends object>(
  context: BatchContext<unknown, JsonObject>,
  selection: RowSelection,
  options: RowBackfillOptions<Row>,
  saved: Retry | undefined,
): Promise<{ readonly retry: Retry; readonly items: number; readonly finished: boolean }> {
  const { quarantine, query, batchSize, update } = context
  const lastId = savedCount(saved ?? {}, 'lastId')
  const tried = savedCount(saved ?? {}, 'tried')
  const failedAgain = savedCount(saved ?? {}, 'failedAgain')
  // Those that failed again are still at the head of the list.
  const entries = (await quarantine.take(failedAgain + batchSize)).filter((entry) => entry.id > lastId)
  const last = entries.at(-1)
  if (last === undefined) return { retry: { lastId, tried, failedAgain }, items: 0, finished: true }
  const rows: KeyedRow[] = []
  const removed = new Map<number, EncodedKey>()
  for (const { id, key } of entries) {
    const encoded = quarantinedKey(update.name, selection.plan, key)
    removed.set(id, encoded)
    const row = await readRow(query, selection, encoded)
    if (row !== null) rows.push(row)
  }
  const { failures } = await handleRows(context, selection, options, rows)
  for (const [id, key] of removed) {
    if (failures.some((failure) => sameKey(failure.key, key))) removed.delete(id)
  }
  await quarantine.remove([...removed.keys()])
  return {
    retry: { lastId: last.id, tried: tried + entries.length, failedAgain: failedAgain + failures.length },
    items: entries.length,
    finished: false,
  }
}

function quarantinedKey(updateName: string, plan: WalkPlan, key: unknown): EncodedKey {
  try {
    const encoded = key as EncodedKey
    keyParameters(plan.key, encoded)
    return encoded
  } catch (error) {
    const reason = error instanceof TypeError ? error.message : 'it is no key'
    throw new InvalidQueueRowError(updateName, `an entry in quarantine can't be used: ${reason}`)
  }
}
