import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { documentationPages, ROOT, type Page } from './markdown.js'
import { compilerOptions, sourcePaths } from './source-files.js'

/** A program that stands in the documentation. Its lines have the numbers that they have where it stands. */
export interface Example {
  /** Where it stands, from the project's root. */
  readonly path: string
  readonly line: number
  readonly text: string
}

/** Every example of README.md, docs/ and the doc comments. */
export function allExamples(): readonly Example[] {
  return [...documentationPages().flatMap(examplesOfPage), ...sourcePaths().flatMap(examplesOfSource)]
}

/** What the compiler says against the examples, as `file:line: message`; all are checked in one program. */
export function typeErrorsOf(examples: readonly Example[]): string[] {
  const files = new Map(examples.map((example) => [fileOf(example), example]))
  const options: ts.CompilerOptions = { ...compilerOptions(), moduleDetection: ts.ModuleDetectionKind.Force }
  const disk = ts.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (name) => files.has(name) || disk.fileExists(name),
    readFile: (name) => files.get(name)?.text ?? disk.readFile(name),
    getSourceFile: (name, languageVersionOrOptions, ...rest) => {
      const example = files.get(name)
      return example
        ? ts.createSourceFile(name, example.text, languageVersionOrOptions, true)
        : disk.getSourceFile(name, languageVersionOrOptions, ...rest)
    },
  }
  const program = ts.createProgram([...files.keys()], options, host)
  return [...files].flatMap(([file, example]) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(file))
      .filter((diagnostic) => diagnostic.file?.fileName === file)
      .map((diagnostic) => messageOf(example, diagnostic)),
  )
}

// Beside the page or source it stands in, so that packages are found from there.
function fileOf({ path, line }: Example): string {
  return join(ROOT, `${path}.line-${line}.ts`)
}

function messageOf(example: Example, { file, start, messageText }: ts.Diagnostic): string {
  const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : example.line
  return `${example.path}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
}

function examplesOfPage({ path, blocks }: Page): Example[] {
  const examples: Example[] = []
  for (const { language, continued, line, text } of blocks) {
    if (language !== 'ts') continue
    const before = continued ? examples.pop() : undefined
    examples.push({ path, line: before?.line ?? line, text: atLine(line, text, before?.text) })
  }
  return examples
}

function examplesOfSource(path: string): Example[] {
  const source = readFileSync(join(ROOT, path), 'utf8')
  return [...source.matchAll(/\/\*\*.*?\*\//gs)].flatMap((comment) => {
    const firstLine = source.slice(0, comment.index).split('\n').length
    return examplesOfComment(path, firstLine, comment[0])
  })
}

function examplesOfComment(path: string, firstLine: number, comment: string): Example[] {
  const examples: Example[] = []
  let current: { line: number; lines: string[] } | null = null
  const end = () => {
    if (current) examples.push({ path, line: current.line, text: atLine(current.line, current.lines.join('\n')) })
    current = null
  }
  comment
    .replace(/\*\/$/, '')
    .split('\n')
    .forEach((raw, index) => {
      const line = raw.replace(/^\s*\/?\*+ ?/, '')
      if (/^@[a-z]+/i.test(line)) {
        end()
        if (line.startsWith('@example')) current = { line: firstLine + index + 1, lines: [] }
      } else {
        current?.lines.push(line.startsWith('```') ? '' : line)
      }
    })
  end()
  return examples
}

// Blank lines before it, so that the compiler's line numbers are those of the page.
function atLine(line: number, text: string, before = ''): string {
  return before + '\n'.repeat(line - before.split('\n').length) + text
}
