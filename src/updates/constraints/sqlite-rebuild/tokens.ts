import { unquoted, type SqliteToken } from '../../../databases/catalogue/sqlite-tokens.js'

export function isWord(token: SqliteToken | undefined, ...words: string[]): boolean {
  return token?.kind === 'word' && words.includes(token.text)
}

export function isSymbol(token: SqliteToken | undefined, symbol: string): boolean {
  return token?.kind === 'symbol' && token.text === symbol
}

/** The name that a token stands for where SQLite expects one; SQLite takes a string for a name there, too. */
export function nameOf(token: SqliteToken, sql: string): string | null {
  if (token.kind === 'quoted') return token.text
  const raw = sql.slice(token.start, token.end)
  if (token.kind === 'word') return raw
  return token.kind === 'string' && raw.startsWith("'") ? unquoted(raw) : null
}

/** Whether SQLite takes two names for the same: it folds ASCII letters and no others. */
export function sameName(left: string, right: string): boolean {
  return foldName(left) === foldName(right)
}

export function foldName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** The place after the `)` that belongs to the `(` at `open`, or -1. */
export function afterGroup(tokens: readonly SqliteToken[], open: number): number {
  let depth = 0
  for (let at = open; at < tokens.length; at += 1) {
    if (isSymbol(tokens[at], '(')) depth += 1
    if (isSymbol(tokens[at], ')')) depth -= 1
    if (depth === 0) return at + 1
  }
  return -1
}
