import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { documentationPages, readPage, ROOT, type Page } from './markdown.js'

describe.each(documentationPages().map((page) => [page.path, page] as const))('links of %s', (_path, page) => {
  it('point to files and headings that exist', () => {
    expect(page.links.flatMap(({ target, line }) => problemOf(page, target, line))).toEqual([])
  })
})

function problemOf(page: Page, target: string, line: number): string[] {
  if (/^[a-z]+:/.test(target)) return []
  const [file = '', heading] = target.split('#')
  const path = file === '' ? page.path : normalize(join(dirname(page.path), file))
  if (!existsSync(join(ROOT, path))) return [`${page.path}:${line}: there is no ${path}`]
  if (heading === undefined || !path.endsWith('.md')) return []
  if (readPage(path).headings.some(({ slug }) => slug === heading)) return []
  return [`${page.path}:${line}: ${path} has no heading #${heading}`]
}
