import type { Query } from '../databases/database.js'
import { classifyError, databaseErrorCode } from '../databases/error-class.js'
import { EvenkeelError } from '../errors.js'

/** A handler couldn't reach something else than the updater's database, for instance a service that it calls. */
export class HandlerConnectionError extends EvenkeelError {
  constructor(updateName: string, cause: Error) {
    super(
      'HANDLER_CONNECTION',
      `the handler of update "${updateName}" lost a connection of its own: ${cause.message}`,
      {
        hint: 'The database of the updater answers: look at what else the handler talks to. The batch is tried again.',
        cause,
      },
    )
  }
}

/**
 * Runs a handler and tells its own network errors from those of the updater's database. A database that is away is
 * nobody's failure and makes the whole runner wait; a service that the handler calls must not have that power.
 */
export async function owningUp<T>(updateName: string, query: Query, handler: () => Promise<T>): Promise<T> {
  try {
    return await handler()
  } catch (error) {
    const isNetworkError = classifyError(error) === 'connection' && databaseErrorCode(error) === null
    if (isNetworkError && (await answers(query))) throw new HandlerConnectionError(updateName, error as Error)
    throw error
  }
}

// A connection that answers with an error, because its transaction has failed, answers.
async function answers(query: Query): Promise<boolean> {
  try {
    await query('SELECT 1')
    return true
  } catch (error) {
    return classifyError(error) !== 'connection'
  }
}
