import type { Dialect, Query } from './database.js'

/** Marks a statement of ours that is no update's: whoever looks at the sessions finds it as the last one of an idle one. */
export const OUR_COMMENT = '/*evenkeel*/'

/**
 * Statements that say in `pg_stat_activity` whose they are. The comment is the same for all statements of an update, so
 * that they can still be prepared, and it stands at the end, so that they still begin with what they do.
 */
export function commentedQuery(query: Query, updateName: string, dialect: Dialect): Query {
  if (dialect !== 'postgres') return query
  const comment = statementComment(updateName)
  // A line comment at the end of the user's SQL must not swallow ours.
  return (text, values) => query(`${text}${text.includes('--') ? '\n' : ' '}${comment}`, values)
}

/** The comment itself. A name can neither end it nor open another: PostgreSQL's comments nest. */
export function statementComment(updateName: string): string {
  return `/*evenkeel:${updateName.replaceAll(/[^\x20-\x7e]|[*/]/g, '_')}*/`
}
