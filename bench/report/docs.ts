import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { format, resolveConfig } from 'prettier'
import { figuresOf } from './figures.js'
import { figuresText } from './figures-text.js'
import type { RunResult } from './results.js'
import { tableText } from './table.js'

const PAGE = path.join(import.meta.dirname, '../../docs/performance.md')

/** Writes a run's tables between the page's markers, `<!-- bench:scale -->` to `<!-- /bench:scale -->`, a pair a part. */
export async function writeDocs(result: RunResult): Promise<void> {
  const sections: [name: string, text: string][] = result.parts.map(({ part, tables }) => [
    part,
    tables.map((table) => tableText(table, { level: 3 })).join('\n\n'),
  ])
  const where = [result.machine, result.postgres].filter((text) => text !== null).join('. ')
  sections.push(['machine', `Measured on ${result.startedAt.slice(0, 10)}: ${where}.`])
  // A run of a part or two knows few of the figures: the page keeps those that it has.
  if (result.parts.length > 2) sections.push(['figures', figuresText(figuresOf(result.parts))])
  let page = await readFile(PAGE, 'utf8')
  for (const [name, text] of sections) page = replaceSection(page, name, text)
  await writeFile(PAGE, await format(page, { ...(await resolveConfig(PAGE)), filepath: PAGE }))
}

/**
 * The page with the text between a pair of markers replaced.
 *
 * @throws when the page has no such pair
 */
export function replaceSection(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no ${begin} … ${end}`)
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`
}
