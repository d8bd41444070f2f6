import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { ROOT } from './markdown.js'

/** The compiler's options of tsconfig.json, with its mapping of `evenkeel/…` to the sources. */
export function compilerOptions(): ts.CompilerOptions {
  const file = join(ROOT, 'tsconfig.json')
  const { config } = ts.readConfigFile(file, (path) => ts.sys.readFile(path)) as { config: object }
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, ROOT, undefined, file).options
}

/** Every source file of the package, from the project's root. */
export function sourcePaths(): readonly string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `src/${name}`)
    .sort()
}

/** The files that `package.json` exports. */
export function publicEntries(): readonly string[] {
  return sourcePaths().filter((path) =>
    /^src\/(index|testing\/index|worker\/index|databases\/drivers\/[a-z0-9-]+)\.ts$/.test(path),
  )
}
