import type { JsonObject } from '../../json.js'
import { messageOf } from '../../thrown.js'
import type { BatchContext } from '../definition.js'
import { RowFailedError, type RowFailure } from './failures.js'
import { mapRows } from './map-rows.js'
import type { RowBackfillOptions } from './options.js'
import type { KeyedRow, RowSelection } from './read-rows.js'
import { writeRows } from './write-rows.js'

/**
 * Maps and writes rows and sets those aside that fail.
 *
 * @throws RowFailedError when more rows of this update would be in quarantine than may be, RowsNotWrittenError
 */
export async function handleRows<Row extends object>(
  context: BatchContext<unknown, JsonObject>,
  selection: RowSelection,
  options: RowBackfillOptions<Row>,
  rows: readonly KeyedRow[],
): Promise<{ readonly changed: number; readonly failures: readonly RowFailure[] }> {
  const { measured, quarantine, signal, log, update } = context
  const { plan } = selection
  const { maxQuarantined = 0 } = options
  const failures: RowFailure[] = []
  const onFailure = (failure: RowFailure): void => {
    failures.push(failure)
    // No use in looking for more of them.
    if (failures.length > maxQuarantined) throw new RowFailedError(update.name, plan, failure, maxQuarantined)
    log.warn(
      { update: update.name, key: failure.key, error: failure.error },
      'a row failed and is set aside in background_update_quarantine',
    )
  }
  const changes = await mapRows(options, plan, rows, { signal, log, update }, onFailure)
  const { value: changed } = await measured((query) => writeRows(query, update.name, selection, changes, onFailure))
  for (const { key, error } of failures) await quarantine.add(key, messageOf(error))
  const [first] = failures
  if (first !== undefined && (await quarantine.count()) > maxQuarantined) {
    throw new RowFailedError(update.name, plan, first, maxQuarantined)
  }
  return { changed, failures }
}
