import { describe } from '../options.js'

/** How many rows an update may delete or repair: a number, or the word that says that any number may go. */
export type RowLimit = number | 'unlimited'

/**
 * What is wrong with a limit. Where rows are deleted for good, it has to be given: a condition that was written wrongly
 * then ends at the limit, and not with an empty table.
 */
export function limitProblems(option: string, limit: unknown, deletesForGood: boolean): string[] {
  if (limit === undefined) {
    return deletesForGood
      ? [
          `${option} is needed, because rows are deleted for good: the most rows that may go, or 'unlimited'; ` +
            'or keep them with keepIn',
        ]
      : []
  }
  if (limit === 'unlimited') return []
  if (typeof limit === 'number' && Number.isSafeInteger(limit) && limit >= 0) return []
  return [`${option} must be a whole number of at least 0 or 'unlimited', not ${describe(limit)}`]
}

/** The limit as a number; none is Infinity. */
export function limitOf(limit: RowLimit | undefined): number {
  return limit === undefined || limit === 'unlimited' ? Infinity : limit
}
