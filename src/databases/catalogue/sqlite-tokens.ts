/**
 * One token of an SQL text. SQLite keeps the text of a statement as it was written, so two texts that mean the same can
 * be compared only token by token.
 */
export interface SqliteToken {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol'
  /** Words in lower case, quoted names without their quotes, everything else as written. */
  readonly text: string
}

const PATTERNS: readonly (readonly [kind: SqliteToken['kind'] | 'space', pattern: RegExp])[] = [
  ['space', /\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y],
  ['string', /[xX]?'(?:[^']|'')*'/y],
  ['quoted', /"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/y],
  ['number', /0[xX][0-9a-fA-F]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y],
  ['word', /[\p{L}_$\u0080-\u{10ffff}][\p{L}\p{N}_$\u0080-\u{10ffff}]*/uy],
  ['symbol', /\|\||->>|->|<=|>=|<>|!=|==|<<|>>|[\s\S]/y],
]

/** Cuts an SQL text into tokens, without blanks and comments. */
export function sqliteTokens(sql: string): SqliteToken[] {
  const tokens: SqliteToken[] = []
  for (let at = 0; at < sql.length;) {
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = at
      const text = pattern.exec(sql)?.[0]
      if (text === undefined || text === '') continue
      if (kind !== 'space') tokens.push({ kind, text: normalText(kind, text) })
      at += text.length
      break
    }
  }
  return tokens
}

function normalText(kind: SqliteToken['kind'], text: string): string {
  if (kind === 'word' || kind === 'number') return text.toLowerCase()
  if (kind === 'quoted') return unquoted(text)
  if (kind === 'symbol') return text === '==' ? '=' : text === '!=' ? '<>' : text
  return text
}

function unquoted(text: string): string {
  const quote = text[0] ?? ''
  const inner = text.slice(1, -1)
  return quote === '[' ? inner : inner.replaceAll(quote + quote, quote)
}

/** The tokens between the first `(` and its `)`, cut at the commas outside of inner parentheses; and what follows. */
export function firstList(tokens: readonly SqliteToken[]): { items: SqliteToken[][]; rest: SqliteToken[] } {
  const items: SqliteToken[][] = []
  let item: SqliteToken[] = []
  let depth = 0
  for (const [position, token] of tokens.entries()) {
    const symbol = token.kind === 'symbol' ? token.text : ''
    if (symbol === ')') depth -= 1
    if (depth === 0 && symbol === ')') return { items: [...items, item], rest: tokens.slice(position + 1) }
    if (depth === 1 && symbol === ',') {
      items.push(item)
      item = []
    } else if (depth > 0) {
      item.push(token)
    }
    if (symbol === '(') depth += 1
  }
  return { items: [], rest: [] }
}

/** Whether two expressions are written the same but for blanks, comments, case, quoting and parentheses round the whole. */
export function sameSqliteExpression(left: readonly SqliteToken[], right: readonly SqliteToken[]): boolean {
  const a = withoutOuterParentheses(left)
  const b = withoutOuterParentheses(right)
  return a.length === b.length && a.every((token, index) => comparable(token) === comparable(b[index]))
}

export function withoutOuterParentheses(tokens: readonly SqliteToken[]): readonly SqliteToken[] {
  const [first] = tokens
  if (first?.kind !== 'symbol' || first.text !== '(') return tokens
  const { rest } = firstList(tokens)
  return rest.length === 0 && tokens.length > 2 ? withoutOuterParentheses(tokens.slice(1, -1)) : tokens
}

// As a quoted name these are columns, as words they are something else.
const WORDS_WITH_A_MEANING = new Set([
  'null',
  'true',
  'false',
  'rowid',
  'current_date',
  'current_time',
  'current_timestamp',
])

function comparable(token: SqliteToken | undefined): string {
  if (token === undefined) return ''
  if (token.kind !== 'quoted') return `${token.kind} ${token.text}`
  const name = token.text.toLowerCase()
  return `${WORDS_WITH_A_MEANING.has(name) ? 'quoted' : 'word'} ${name}`
}
