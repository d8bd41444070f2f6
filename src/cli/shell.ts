import type { Command } from 'commander'
import type { Logger } from '../observe/logger.js'
import { ExitCode } from './exit-codes.js'
import type { Output } from './output/output.js'
import { shellLogger } from './output/shell-logger.js'
import type { DatabaseOptions } from './targets.js'

/** The options that every command has. */
export interface GlobalOptions extends DatabaseOptions {
  readonly schema?: string
  readonly verbose?: boolean
}

/** What a command works with: where it was given, and where its lines go. */
export class Shell {
  /** What the process ends with: what the command that ran returned. */
  exitCode: ExitCode = ExitCode.DONE
  readonly output: Output
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>

  constructor(output: Output, cwd: string, environment: Shell['environment']) {
    this.output = output
    this.cwd = cwd
    this.environment = environment
  }

  get debug(): boolean {
    return (this.environment.EVENKEEL_DEBUG ?? '') !== ''
  }

  /** A handler for commander: `work` gets the options and the arguments, and says the exit code. */
  action<Options>(work: (options: Options & GlobalOptions, names: string[]) => Promise<ExitCode>) {
    return async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1) as Command
      this.exitCode = await work(command.optsWithGlobals<Options & GlobalOptions>(), command.args)
    }
  }

  /** The engine's log on stderr; `write` puts it somewhere else on the screen. */
  logger(options: GlobalOptions, write = (line: string) => this.output.note(line)): Logger {
    return shellLogger(write, this.output.errorStyle, options.verbose === true)
  }
}
