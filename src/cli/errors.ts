import { ConfigurationError, EvenkeelError } from '../errors.js'

/** The command line asks for something that can't be done. */
export class UsageError extends EvenkeelError {
  constructor(message: string, hint = 'See `evenkeel --help`.') {
    super('USAGE', message, { hint })
  }
}

/** A SQLite file isn't there, which only `install` makes. */
export class MissingFileError extends ConfigurationError {
  constructor(file: string) {
    super('database', [
      `the file ${file} does not exist. \`evenkeel install\` makes it with our tables, if its name is right`,
    ])
  }
}

/** A package that only some users need is needed now. */
export class MissingPackageError extends EvenkeelError {
  constructor(name: string, purpose: string, cause: unknown) {
    super('MISSING_PACKAGE', `${purpose} needs the package "${name}", which is not installed`, {
      hint: `Run \`npm install ${name}\`.`,
      cause,
    })
  }
}

/** Nothing is left that this runner could do: live runners elsewhere hold it. */
export class HeldByOthersError extends EvenkeelError {
  constructor(holders: readonly { readonly name: string; readonly owner: string }[]) {
    const list = holders.map(({ name, owner }) => `${name} by ${owner}`).join(', ')
    super('HELD_BY_OTHERS', `what is left is being run elsewhere: ${list}`, {
      hint: 'Let that runner finish (`evenkeel wait NAME`), or stop it and run this again.',
    })
  }
}
