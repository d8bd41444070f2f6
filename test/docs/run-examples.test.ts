import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { ROOT } from './markdown.js'
import { compilerOptions } from './source-files.js'

it('examples/sqlite/backfill.ts runs by its one command and finds its data right', async () => {
  // Its imports lead to the sources instead of dist/, as those of the tests do.
  const aliases = Object.entries(compilerOptions().paths ?? {}).map(([name, [path]]) => [name, join(ROOT, path ?? '')])
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(ROOT, 'node_modules/jiti/lib/jiti-cli.mjs'), 'examples/sqlite/backfill.ts'],
    { cwd: ROOT, env: { ...process.env, JITI_ALIAS: JSON.stringify(Object.fromEntries(aliases)) } },
  )
  expect(stdout).toMatch(/rows that are wrong: 0\n$/)
})

it('examples/sqlite-worker runs by its one command, and the application goes on meanwhile', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['examples/sqlite-worker/application.mjs'], {
    cwd: ROOT,
  })
  expect(stdout).toMatch(/requests answered meanwhile: yes\nrows that are wrong: 0\n$/)
})
