import type { Dialect, Session } from '../databases/database.js'
import { withSettings } from '../databases/session-settings.js'
import { commentedQuery } from '../databases/statement-comment.js'
import { applicationName } from './transaction-settings.js'

/**
 * Runs `work` on a session whose statements name their update, by `application_name` and by a comment; the session goes
 * back as it was.
 */
export function namedSession<Tx, T>(
  session: Session<Tx>,
  dialect: Dialect,
  updateName: string,
  work: (session: Session<Tx>) => Promise<T>,
): Promise<T> {
  if (dialect !== 'postgres') return work(session)
  const { connection } = session
  const query = commentedQuery(session.query, updateName, dialect)
  const named = { connection, query, cancel: () => session.cancel() }
  return withSettings(query, { application_name: applicationName(updateName) }, () => work(named))
}
