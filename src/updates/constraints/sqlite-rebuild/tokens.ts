import type { SqliteToken } from '../../../databases/catalogue/sqlite-tokens.js'

/** A token with its place in the text: `sql.slice(start, end)` is how it was written. */
export interface PlacedToken extends SqliteToken {
  readonly start: number
  readonly end: number
}

// SQLite's own rules (tokenize.c): only ASCII blanks are blanks, everything from U+0080 on belongs to a name, and a
// comment that isn't closed ends with the text.
const PATTERNS: readonly (readonly [kind: SqliteToken['kind'] | 'blank', pattern: RegExp])[] = [
  ['blank', /[ \t\n\f\r]+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y],
  ['string', /[xX]?'(?:[^']|'')*'/y],
  ['quoted', /"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/y],
  ['number', /0[xX][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y],
  ['word', /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y],
  ['symbol', /\|\||->>|->|<=|>=|<>|!=|==|<<|>>|[\s\S]/y],
]

/** Cuts an SQL text into tokens with their places, without blanks and comments. */
export function placedTokens(sql: string): PlacedToken[] {
  const tokens: PlacedToken[] = []
  for (let start = 0; start < sql.length;) {
    const [kind, raw] = nextToken(sql, start)
    const end = start + raw.length
    if (kind !== 'blank') tokens.push({ kind, text: normalText(kind, raw), start, end })
    start = end
  }
  return tokens
}

function nextToken(sql: string, at: number): [kind: SqliteToken['kind'] | 'blank', raw: string] {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at
    const raw = pattern.exec(sql)?.[0]
    if (raw) return [kind, raw]
  }
  // Unreachable: the last pattern takes any one character.
  return ['symbol', sql.charAt(at)]
}

function normalText(kind: SqliteToken['kind'], raw: string): string {
  if (kind === 'word' || kind === 'number') return raw.toLowerCase()
  if (kind === 'symbol') return raw === '==' ? '=' : raw === '!=' ? '<>' : raw
  return kind === 'quoted' ? unquoted(raw) : raw
}

function unquoted(raw: string): string {
  const quote = raw.charAt(0)
  const inner = raw.slice(1, -1)
  return quote === '[' ? inner : inner.replaceAll(quote + quote, quote)
}

export function isWord(token: SqliteToken | undefined, ...words: string[]): boolean {
  return token?.kind === 'word' && words.includes(token.text)
}

export function isSymbol(token: SqliteToken | undefined, symbol: string): boolean {
  return token?.kind === 'symbol' && token.text === symbol
}

/** The name that a token stands for where SQLite expects one; SQLite takes a string for a name there, too. */
export function nameOf(token: PlacedToken, sql: string): string | null {
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
