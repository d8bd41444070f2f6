import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const SOURCE = join(import.meta.dirname, '../../src')

/** Every file of src/ with the files of src/ that it imports, types included, and the packages. */
const imports = readImports()

describe('the house', () => {
  it('has no circle of imports', () => {
    expect(imports.get('runner.ts')?.files).toContain('run-loop.ts')
    expect(circles()).toEqual([])
  })

  // What may be imported from outside the folder, by the beginning of its path. Arrows go one way.
  it.each([
    ['pacing/', ['json.ts', 'errors.ts', 'options.ts']],
    ['keyset/', ['json.ts', 'errors.ts', 'options.ts', 'databases/']],
    [
      'signals/',
      [
        'databases/',
        'pacing/reading.ts',
        'observe/',
        'errors.ts',
        'options.ts',
        'thrown.ts',
        'clock.ts',
        'under-any.ts',
      ],
    ],
    ['databases/', ['errors.ts', 'options.ts', 'thrown.ts', 'clock.ts', 'json.ts']],
    ['queue/', ['databases/', 'errors.ts', 'options.ts', 'thrown.ts', 'json.ts', 'clock.ts', 'schema/', 'observe/']],
  ])('%s imports only what lies below it', (folder, allowed) => {
    const strays = [...imports]
      .filter(([file]) => file.startsWith(folder))
      .flatMap(([file, { files }]) => files.map((to) => [file, to] as const))
      .filter(([, to]) => !to.startsWith(folder) && !allowed.some((path) => to.startsWith(path)))
    expect(strays).toEqual([])
  })

  it.each(['pacing/', 'keyset/'])('%s does no I/O: it imports nothing of Node and no package', (folder) => {
    const strays = [...imports].filter(([file, { packages }]) => file.startsWith(folder) && packages.length > 0)
    expect(strays).toEqual([])
  })

  it('only the shell imports the shell, and only the shell imports packages at run time', () => {
    const outside = [...imports].filter(([file]) => !file.startsWith('cli/'))
    expect(outside.filter(([, { files }]) => files.some((to) => to.startsWith('cli/')))).toEqual([])
    const packages = outside.flatMap(([, { packages }]) => packages).filter((name) => !name.startsWith('node:'))
    expect(packages).toEqual([])
  })
})

function readImports(): Map<string, { files: string[]; packages: string[] }> {
  const paths = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
  return new Map(
    paths.map((path) => {
      const names = importsOf(join(SOURCE, path))
      const files = names.filter((name) => name.startsWith('.'))
      const resolved = files.map((name) => relative(SOURCE, join(SOURCE, dirname(path), name)).replace(/\.js$/, '.ts'))
      return [path, { files: resolved, packages: names.filter((name) => !name.startsWith('.')) }]
    }),
  )
}

function importsOf(path: string): string[] {
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest)
  return file.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return []
    const from = statement.moduleSpecifier
    return from && ts.isStringLiteral(from) ? [from.text] : []
  })
}

/** Strongly connected groups of more than one file, by Tarjan's algorithm. */
function circles(): string[][] {
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []
  const visit = (file: string): number => {
    order.set(file, order.size)
    low.set(file, order.size - 1)
    stack.push(file)
    for (const to of imports.get(file)?.files ?? []) {
      if (!order.has(to)) low.set(file, Math.min(low.get(file) ?? 0, visit(to)))
      else if (stack.includes(to)) low.set(file, Math.min(low.get(file) ?? 0, order.get(to) ?? 0))
    }
    if (low.get(file) === order.get(file)) {
      const group = stack.splice(stack.indexOf(file))
      if (group.length > 1) found.push(group.sort())
    }
    return low.get(file) ?? 0
  }
  for (const file of imports.keys()) if (!order.has(file)) visit(file)
  return found
}
