import { join } from 'node:path'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { ROOT } from './markdown.js'
import { compilerOptions, publicEntries } from './source-files.js'

it('every public value has a doc comment', () => {
  const entries = publicEntries()
  const program = ts.createProgram(
    entries.map((path) => join(ROOT, path)),
    compilerOptions(),
  )
  const checker = program.getTypeChecker()
  const undocumented = entries.flatMap((path) =>
    exportsOf(checker, program.getSourceFile(join(ROOT, path)))
      .filter((symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim() === '')
      .map((symbol) => `${path}: ${symbol.name}`),
  )
  expect(undocumented).toEqual([])
})

function exportsOf(checker: ts.TypeChecker, file: ts.SourceFile | undefined): ts.Symbol[] {
  const module = file && checker.getSymbolAtLocation(file)
  if (!module) return []
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    .filter((symbol) => (symbol.flags & ts.SymbolFlags.Value) !== 0)
}
