import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readPage, ROOT } from './markdown.js'

const { text } = readPage('docs/reliability.md')

it('docs/reliability.md names tests that exist', () => {
  const tests = [...text.matchAll(/`(test\/[^`]+\.ts)`/g)].map(([, file]) => file ?? '')
  expect(tests.length).toBeGreaterThan(5)
  expect(tests.filter((file) => !existsSync(join(ROOT, file)))).toEqual([])
})

it('every guarantee of docs/reliability.md names a test', () => {
  const tables = text.split('| guarantee | held by |\n').slice(1)
  const rows = tables.flatMap((table) => (table.split('\n\n')[0] ?? '').split('\n').slice(1))
  expect(rows.length).toBeGreaterThan(5)
  expect(rows.filter((row) => !row.includes('`test/'))).toEqual([])
})
