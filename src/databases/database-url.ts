/** Where a database is, read from the one text that people write: a URL or the name of a SQLite file. */
export type DatabaseLocation =
  { readonly dialect: 'postgres'; readonly url: string } | { readonly dialect: 'sqlite'; readonly file: string }

/**
 * `postgres://…`, `postgresql://…`, `sqlite:app.db`, `file:app.db`, or the plain name of a file. What can't be read comes
 * back as a sentence.
 */
export function parseDatabaseUrl(text: string): DatabaseLocation | { readonly problem: string } {
  const trimmed = text.trim()
  if (trimmed === '') return { problem: 'the database URL is empty' }
  if (/^postgres(ql)?:\/\//i.test(trimmed)) return { dialect: 'postgres', url: trimmed }
  const file = /^(?:sqlite3?|file):(?:\/\/)?(.*)$/i.exec(trimmed)?.[1]
  if (file === '') return { problem: `${JSON.stringify(trimmed)} names no file` }
  if (file !== undefined) return { dialect: 'sqlite', file }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(trimmed)?.[1]
  if (scheme !== undefined) {
    return { problem: `"${scheme}" is not a database that Evenkeel knows; use postgres:// or sqlite:` }
  }
  return { dialect: 'sqlite', file: trimmed }
}
