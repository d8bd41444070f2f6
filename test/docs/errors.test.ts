import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { codeRows, readPage, ROOT } from './markdown.js'
import { sourcePaths } from './source-files.js'

interface ErrorClass {
  readonly name: string
  readonly code: string
  /** It fails an update at once. */
  readonly permanent: boolean
}

describe('docs/errors.md', () => {
  const classes = errorClasses()

  it('has a line for every error class, with its code and whether it fails an update at once, and no other', () => {
    const documented = codeRows(readPage('docs/errors.md'))
      .filter(({ code }) => /^[A-Z_]+$/.test(code))
      .map(({ code, cells }) => `${code} ${cells[1]?.trim()} ${cells[2]?.trim()}`)
    const declared = classes.map(({ code, name, permanent }) => `${code} \`${name}\` ${permanent ? 'yes' : 'no'}`)
    expect(documented.sort()).toEqual(declared.sort())
  })

  it('every code is of one class', () => {
    const codes = classes.map(({ code }) => code)
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([])
  })
})

/** Every class of src/ that extends EvenkeelError, with what it hands to `super` as its code. */
function errorClasses(): ErrorClass[] {
  return sourcePaths().flatMap((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8')
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
    return file.statements.filter(ts.isClassDeclaration).flatMap((declaration) => {
      const parent = declaration.heritageClauses?.[0]?.types[0]?.expression.getText()
      if (parent !== 'EvenkeelError') return []
      const name = declaration.name?.text ?? ''
      const call = superCallIn(declaration)
      const [code] = call?.arguments ?? []
      if (!call || !code || !ts.isStringLiteral(code)) throw new Error(`${name}: its code is not a literal`)
      return [{ name, code: code.text, permanent: call.getText().includes('permanent: true') }]
    })
  })
}

function superCallIn(node: ts.Node): ts.CallExpression | undefined {
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.SuperKeyword) return node
  return ts.forEachChild(node, superCallIn)
}
