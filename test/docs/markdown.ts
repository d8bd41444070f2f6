import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's root directory, without a slash at its end. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/** A fenced block of code. */
export interface CodeBlock {
  /** The word after the fence, '' without one. */
  readonly language: string
  /** It goes on where the block before it stopped: fenced by `ts continued`. */
  readonly continued: boolean
  /** Line of its first line in the page, from 1. */
  readonly line: number
  readonly text: string
}

export interface Heading {
  /** What a link has behind its `#`, as GitHub makes it. */
  readonly slug: string
  readonly line: number
}

export interface Link {
  readonly target: string
  readonly line: number
}

/** A page of Markdown, taken apart. */
export interface Page {
  /** From the project's root. */
  readonly path: string
  readonly text: string
  readonly blocks: readonly CodeBlock[]
  readonly headings: readonly Heading[]
  readonly links: readonly Link[]
}

/** README.md and every page of docs/. */
export function documentationPages(): readonly Page[] {
  const guides = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
  return ['README.md', ...guides.sort().map((name) => `docs/${name}`)].map(readPage)
}

export function readPage(path: string): Page {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const blocks: CodeBlock[] = []
  const headings: Heading[] = []
  const links: Link[] = []
  const seen = new Map<string, number>()
  let block: { language: string; continued: boolean; line: number; lines: string[] } | null = null
  text.split('\n').forEach((line, index) => {
    const fence = /^\s*```\s*(\S*)\s*(.*)$/.exec(line)
    if (fence !== null && block === null) {
      block = { language: fence[1] ?? '', continued: fence[2] === 'continued', line: index + 2, lines: [] }
    } else if (fence !== null && block !== null) {
      const { lines, ...rest } = block
      blocks.push({ ...rest, text: lines.join('\n') })
      block = null
    } else if (block !== null) {
      block.lines.push(line)
    } else {
      const heading = /^#{1,6}\s+(.+?)\s*$/.exec(line)
      if (heading?.[1] !== undefined) headings.push({ slug: numbered(slugOf(heading[1]), seen), line: index + 1 })
      for (const target of linkTargets(line)) links.push({ target, line: index + 1 })
    }
  })
  return { path, text, blocks, headings, links }
}

/** The rows of the page's tables whose first cell is one piece of code, with their cells. */
export function codeRows(page: Page): readonly { readonly code: string; readonly cells: readonly string[] }[] {
  return page.text.split('\n').flatMap((line) => {
    const code = /^\| `([^`]+)` +\|/.exec(line)?.[1]
    // A bar inside a cell is written `\|`.
    return code === undefined ? [] : [{ code, cells: line.split(/(?<!\\)\|/).slice(1, -1) }]
  })
}

function linkTargets(line: string): string[] {
  const withoutCode = line.replaceAll(/`[^`]*`/g, '``')
  return [...withoutCode.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '')
}

function slugOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-')
}

function numbered(slug: string, seen: Map<string, number>): string {
  const count = seen.get(slug) ?? 0
  seen.set(slug, count + 1)
  return count === 0 ? slug : `${slug}-${count}`
}
