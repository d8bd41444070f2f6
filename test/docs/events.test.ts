import { join } from 'node:path'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { codeRows, readPage, ROOT } from './markdown.js'
import { compilerOptions } from './source-files.js'

it('docs/events.md has every event with the fields of its object, and no other', () => {
  const documented = codeRows(readPage('docs/events.md'))
    .filter(({ code }) => code.includes(':'))
    .map(
      ({ code, cells }) =>
        `${code}: ${[...(cells[2] ?? '').matchAll(/`([a-zA-Z]+)`/g)].map(([, name]) => name).join(', ')}`,
    )
  expect(documented.sort()).toEqual(declaredEvents().sort())
})

function declaredEvents(): string[] {
  const path = join(ROOT, 'src/observe/events.ts')
  const program = ts.createProgram([path], compilerOptions())
  const checker = program.getTypeChecker()
  const declaration = program
    .getSourceFile(path)
    ?.statements.filter(ts.isInterfaceDeclaration)
    .find(({ name }) => name.text === 'UpdaterEvents')
  if (!declaration) throw new Error('src/observe/events.ts declares no UpdaterEvents')
  return checker.getPropertiesOfType(checker.getTypeAtLocation(declaration)).map((event) => {
    const fields = checker.getPropertiesOfType(checker.getTypeOfSymbol(event)).map(({ name }) => name)
    return `${event.name}: ${fields.join(', ')}`
  })
}
