import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BackgroundUpdater, UpdaterStatus } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { codeRows, readPage, ROOT } from './markdown.js'

const page = readPage('docs/engine.md')

it('docs/engine.md has every column of the queue and every further table', async () => {
  const database = fromBetterSqlite3(':memory:')
  await new BackgroundUpdater({ database }).install()
  const names = (sql: string) =>
    database.session(async ({ query }) => (await query<{ name: string }>(sql)).rows.map(({ name }) => name))
  const columns = await names("SELECT name FROM pragma_table_info('background_updates')")
  const tables = await names("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'background_update_%'")
  const documented = codesBetween('## The queue table', '## Which update runs next')
  expect(documented.sort()).toEqual([...columns, ...tables.filter((name) => name !== 'background_updates')].sort())
  await database.close()
})

it('docs/engine.md has every reason why an update waits', () => {
  const documented = codesBetween('## Which update runs next', '## One batch, step by step')
  expect(documented.sort()).toEqual(waitingCodes().sort())
})

it('docs/engine.md has every status with its number', () => {
  const rows = page.text.matchAll(/^\| ([A-Z_]+) +\| ([−0-9]+) +\|/gm)
  const documented = [...rows].map(([, name, number]) => [name, Number(number?.replace('−', '-'))])
  expect(Object.fromEntries(documented)).toEqual(UpdaterStatus)
})

function codesBetween(from: string, to: string): string[] {
  const text = page.text.split(`${from}\n`)[1]?.split(`${to}\n`)[0] ?? ''
  return codeRows({ ...page, text }).map(({ code }) => code)
}

/** The members of the union type WaitingCode. */
function waitingCodes(): string[] {
  const path = 'src/queue/reasons.ts'
  const file = ts.createSourceFile(path, readFileSync(join(ROOT, path), 'utf8'), ts.ScriptTarget.Latest, true)
  const declaration = file.statements.filter(ts.isTypeAliasDeclaration).find(({ name }) => name.text === 'WaitingCode')
  if (!declaration || !ts.isUnionTypeNode(declaration.type)) throw new Error(`${path}: no union type WaitingCode`)
  return declaration.type.types.map((type) => type.getText().replaceAll("'", ''))
}
