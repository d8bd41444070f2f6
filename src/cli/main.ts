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

// `evenkeel status | head` closes the pipe early: that is no error of ours, and what goes on for long listens for itself
// and stops. Any other error is one: what was asked for isn't there.
let unwritten = false
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') unwritten = true
  })
}

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
const end = () => process.exit(unwritten && exitCode === ExitCode.DONE ? ExitCode.ERROR : exitCode)
process.stdout.write('', () => process.stderr.write('', end))
