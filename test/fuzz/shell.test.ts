import { CommanderError } from 'commander'
import fc from 'fast-check'
import path from 'node:path'
import { expect, it } from 'vitest'
import { exitCodeOf } from '../../src/cli/exit-codes.js'
import { printError } from '../../src/cli/output/error-text.js'
import { Output } from '../../src/cli/output/output.js'
import { buildProgram } from '../../src/cli/program.js'
import { Shell } from '../../src/cli/shell.js'
import { Project } from '../cli/shell-process.js'
import { hostileText } from './hostile.js'
import { fuzz, inputs, isTyped } from './inputs.js'

// Not `demo`, which runs for long by design, and not `init`, which writes files.
const COMMANDS = [
  'enqueue',
  'wait',
  'status',
  'history',
  'pause',
  'resume',
  'cancel',
  'retry',
  'disable',
  'enable',
  'install',
  'run',
  'help',
  'nonsense',
]
const FLAGS = [
  '--progress',
  '--depends-on',
  '--ordering',
  '--if-queued',
  '--by',
  '--reason',
  '--timeout',
  '--json',
  '--check',
  '--once',
  '--only',
  '--limit',
  '--schema',
  '--database-name',
  '--verbose',
  '--no-color',
  '--sql',
  '--quarantined',
  '--nonsense',
  '--',
]

const word = fc.oneof(
  { arbitrary: fc.constantFrom(...FLAGS), weight: 3 },
  { arbitrary: hostileText.filter((text) => !text.includes('\0')), weight: 3 },
  {
    arbitrary: fc.constantFrom(
      'x',
      '{}',
      '[]',
      '1',
      '-1',
      '1e9',
      '{"__proto__":{"polluted":true}}',
      `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
    ),
    weight: 2,
  },
)
const commandLine = fc.tuple(fc.constantFrom(...COMMANDS), fc.array(word, { maxLength: 5 }))

/** The shell without a process: what it would have printed and the code that it would have ended with. */
async function runShell(
  folder: string,
  args: readonly string[],
): Promise<{ code: number; text: string; error: unknown }> {
  let text = ''
  const stream = { write: (written: string) => (text += written) }
  const output = new Output({ stdout: stream, stderr: stream, environment: {}, color: false })
  const shell = new Shell(output, folder, {})
  try {
    await buildProgram(shell).parseAsync(['node', 'evenkeel', ...args])
    return { code: shell.exitCode, text, error: null }
  } catch (error) {
    if (error instanceof CommanderError) return { code: error.exitCode === 0 ? 0 : 64, text, error: null }
    printError(output, error, false)
    return { code: exitCodeOf(error), text, error }
  }
}

it(
  'any command line ends with a code and, where it is refused, with what to do next',
  { timeout: 600_000 },
  async () => {
    const project = new Project()
    const file = path.join(project.folder, 'app.db')
    const database = ['--database', `sqlite:${file}`]
    expect((await runShell(project.folder, ['install', ...database])).code).toBe(0)
    await fuzz('command lines', inputs(0.05), commandLine, async ([command, words]) => {
      // A run or a wait would go on until it is stopped.
      const bounded = command === 'run' ? ['--once'] : command === 'wait' ? ['--timeout', '0'] : []
      const args = [command, ...bounded, ...database, ...words]
      const { code, text, error } = await runShell(project.folder, args)
      if (error !== null && !isTyped(error)) throw new Error(`untyped: ${JSON.stringify(args)}`, { cause: error })
      if (code !== 0) expect(text, JSON.stringify(args)).not.toBe('')
      expect([0, 1, 2, 3, 4, 5, 64]).toContain(code)
      if (code === 1) throw new Error(`an unexpected error for ${JSON.stringify(args)}: ${text}`, { cause: error })
    })
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  },
)

const CONFIGS: Readonly<Record<string, string>> = {
  'throws an Error': 'throw new Error("hostile")',
  'throws a text': 'throw "hostile"',
  'throws null': 'throw null',
  'throws undefined': 'throw undefined',
  'is no JavaScript': 'export default {{{',
  'is empty': '',
  'exports null': 'export default null',
  'exports a text': 'export default "sqlite:app.db"',
  'exports a function': 'export default () => ({})',
  'exports a promise that rejects': 'export default Promise.reject(new Error("hostile"))',
  'exports a proxy':
    'export default new Proxy({}, { get() { throw new Error("trap") }, has() { throw new Error("trap") }, ownKeys() { throw new Error("trap") } })',
  'has a getter that throws': 'export default { get database() { throw new Error("hostile getter") } }',
  'has unknown options': 'export default { databse: "sqlite:app.db" }',
  'has updates that are none': 'export default { database: "sqlite:app.db", updates: [1, null, {}, { name: "x" }] }',
  'has a database that throws': 'export default { database: () => { throw new Error("no database") } }',
  'has a database that is nothing': 'export default { database: () => null }',
  'has a database of rubbish':
    'export default { database: () => ({ transaction() {}, session() {}, query() {}, close() {} }) }',
  'imports what is not there': 'import "not-there"; export default {}',
  'imports itself': 'import me from "./evenkeel.config.mjs"; export default me',
}

it.each(Object.entries(CONFIGS))('a configuration that %s is a typed error', async (_name, text) => {
  const project = new Project().write('evenkeel.config.mjs', text)
  const { code, text: printed, error } = await runShell(project.folder, ['status'])
  expect({ code, typed: isTyped(error) }, printed).toEqual({ code: 64, typed: true })
})

it('real processes end, too', { timeout: 120_000 }, async () => {
  const project = new Project().write(
    'evenkeel.config.mjs',
    'export default { get updates() { throw new Error("hostile") } }',
  )
  for (const args of [
    ['status'],
    ['status', '--config', '__proto__'],
    ['nonsense'],
    ['enqueue', 'x', '--progress', '{'],
  ]) {
    const { code, stderr } = await project.run(...args)
    expect(code).toBe(64)
    expect(stderr).not.toMatch(/at .*node:internal|UnhandledPromise/)
  }
})
