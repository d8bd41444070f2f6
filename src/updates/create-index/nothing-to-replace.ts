import type { Logger } from '../../observe/logger.js'
import type { IndexRequest } from './options.js'

/** A misspelt name and an index that is already gone look the same: no failure, and somebody should know. */
export function warnOfNothingToReplace(log: Logger, { index, replaces }: IndexRequest): void {
  if (replaces === null) return
  log.warn({ index: replaces }, `there is no index ${replaces} for ${index} to replace: nothing will be dropped`)
}
