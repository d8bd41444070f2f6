import type { Command } from 'commander'
import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { ExitCode } from '../../src/cli/exit-codes.js'
import { Output } from '../../src/cli/output/output.js'
import { buildProgram } from '../../src/cli/program.js'
import { Shell } from '../../src/cli/shell.js'
import { codeRows, readPage, type Page } from './markdown.js'

const page = readPage('docs/shell.md')
const program = buildProgram(new Shell(silentOutput(), process.cwd(), {}))

it('docs/shell.md has a section for every command, and no other', () => {
  const commands = program.commands.map((command) => command.name()).filter((name) => name !== 'help')
  expect([...sections(page).keys()].sort()).toEqual(commands.sort())
})

it.each(program.commands.map((command) => [command.name(), command] as const))(
  'the section of %s has its arguments and exactly its options',
  (name, command) => {
    const section = sections(page).get(name) ?? ''
    expect(section).toContain(['npx evenkeel', name, ...argumentsOf(command)].join(' '))
    expect(flagsIn({ ...page, text: section })).toEqual(command.options.map(({ flags }) => flags))
  },
)

it('docs/shell.md has the options of every command', () => {
  const general = page.text.split('## Options of every command')[1]?.split('\n## ')[0] ?? ''
  expect(flagsIn({ ...page, text: general })).toEqual([...program.options.map(({ flags }) => flags), '-h, --help'])
})

it('docs/shell.md has every exit code', () => {
  const documented = codeRows(page).filter(({ code }) => /^\d+$/.test(code))
  expect(documented.map(({ code }) => Number(code))).toEqual(Object.values(ExitCode))
})

/** The text below each `### command` heading. */
function sections({ text }: Page): Map<string, string> {
  const parts = text.split(/^### /m).slice(1)
  return new Map(parts.map((part) => [part.split('\n')[0] ?? '', part.split(/^## /m)[0] ?? '']))
}

function flagsIn(part: Page): string[] {
  return codeRows(part)
    .map(({ code }) => code)
    .filter((code) => code.startsWith('-'))
}

function argumentsOf(command: Command): string[] {
  return command.registeredArguments.map((argument) => {
    const label = `${argument.name()}${argument.variadic ? '...' : ''}`
    return argument.required ? `<${label}>` : `[${label}]`
  })
}

function silentOutput(): Output {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const stream = nowhere as unknown as ConstructorParameters<typeof Output>[0]['stdout']
  return new Output({ stdout: stream, stderr: stream, environment: {}, color: false })
}
