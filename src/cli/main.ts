#!/usr/bin/env node
import { CommanderError } from 'commander'
import { ExitCode, exitCodeOf } from './exit-codes.js'
import { printError } from './output/error-text.js'
import { Output } from './output/output.js'
import { buildProgram, isShown } from './program.js'
import { Shell } from './shell.js'

const output = new Output({
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  color: !process.argv.includes('--no-color'),
})
const shell = new Shell(output, process.cwd(), process.env)

// `evenkeel status | head` closes the pipe early: that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? ExitCode.DONE : ExitCode.ERROR),
)

async function main(): Promise<ExitCode> {
  try {
    await buildProgram(shell).parseAsync(process.argv)
    return shell.exitCode
  } catch (error) {
    if (error instanceof CommanderError) return isShown(error) ? ExitCode.DONE : ExitCode.USAGE
    printError(output, error, shell.debug)
    return exitCodeOf(error)
  }
}

const exitCode = await main()
// A pool that a configuration opened would keep the process for seconds; but what was written must be out first.
process.exitCode = exitCode
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)))
