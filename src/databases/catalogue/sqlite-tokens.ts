/**
 * One token of an SQL text. SQLite keeps the text of a statement as it was written, so two texts that mean the same can
 * be compared only token by token.
 */
export interface SqliteToken {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol'
  /** Words in lower case, quoted names without their quotes, everything else as written. */
  readonly text: string
  /** Its place: `sql.slice(start, end)` is how it was written. */
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

/** Cuts an SQL text into tokens, without blanks and comments. */
export function sqliteTokens(sql: string): SqliteToken[] {
  const tokens: SqliteToken[] = []
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

/** A quoted name or a string without its quotes. */
export function unquoted(raw: string): string {
  const quote = raw.charAt(0)
  const inner = raw.slice(1, -1)
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
