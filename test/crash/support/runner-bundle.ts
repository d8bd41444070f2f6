import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsdown'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/**
 * A program of this folder as one JavaScript file, which starts in a tenth of a second: hundreds of processes run it.
 * It lies where Node finds better-sqlite3, the one module that can't be bundled.
 */
export async function bundleProgram(name: string): Promise<{ file: string; remove: () => void }> {
  const cache = here('../../../node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(path.join(cache, 'evenkeel-crash-'))
  const source = (file: string) => here(`../../../src/${file}`)
  await build({
    config: false,
    entry: { [name]: here(`./${name}.ts`) },
    outDir: folder,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    dts: false,
    logLevel: 'error',
    fixedExtension: true,
    external: ['better-sqlite3', 'pg-native'],
    noExternal: ['pg'],
    alias: {
      evenkeel: source('index.ts'),
      'evenkeel/pg': source('databases/drivers/pg.ts'),
      'evenkeel/better-sqlite3': source('databases/drivers/better-sqlite3.ts'),
    },
  })
  const file = path.join(folder, `${name}.mjs`)
  if (!existsSync(file)) throw new Error(`the bundler wrote no ${file}`)
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
