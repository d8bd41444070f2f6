/** The exit codes of the shell; stable, for scripts. Documented in `evenkeel --help`. */
export const ExitCode = {
  /** Done, or nothing to do. */
  DONE: 0,
  /** An unexpected error. */
  ERROR: 1,
  /** Work is pending: `status --check`, or `wait` timed out. */
  PENDING: 2,
  /** Another runner holds what is left. */
  HELD: 3,
  /** An update needs a person. */
  NEEDS_PERSON: 4,
  /** Our tables are missing or of another version. */
  NOT_INSTALLED: 5,
  /** The command line or the configuration can't be used. */
  USAGE: 64,
  /** A clean stop by SIGINT. */
  INTERRUPTED: 130,
  /** A clean stop because nobody reads the output any more: what SIGPIPE would have ended it with. */
  UNREAD: 141,
  /** A clean stop by SIGTERM. */
  TERMINATED: 143,
} as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** The code of every error of Evenkeel that isn't simply unexpected, by its stable code. */
const OF_ERRORS: Readonly<Record<string, ExitCode>> = {
  WAIT_TIMEOUT: ExitCode.PENDING,
  HELD_BY_OTHERS: ExitCode.HELD,
  NEEDS_PERSON: ExitCode.NEEDS_PERSON,
  UPDATE_FAILED: ExitCode.NEEDS_PERSON,
  UPDATE_CANCELLED: ExitCode.NEEDS_PERSON,
  UPDATER_ABORTED: ExitCode.NEEDS_PERSON,
  DISABLED: ExitCode.NEEDS_PERSON,
  NOT_INSTALLED: ExitCode.NOT_INSTALLED,
  VERSION_MISMATCH: ExitCode.NOT_INSTALLED,
  CANNOT_ADOPT: ExitCode.NOT_INSTALLED,
  CONFIGURATION: ExitCode.USAGE,
  USAGE: ExitCode.USAGE,
  MISSING_PACKAGE: ExitCode.USAGE,
  UNKNOWN_UPDATE: ExitCode.USAGE,
  NOT_QUEUED: ExitCode.USAGE,
  ALREADY_QUEUED: ExitCode.USAGE,
  INVALID_IDENTIFIER: ExitCode.USAGE,
  INVALID_PROGRESS: ExitCode.USAGE,
  UNSUPPORTED: ExitCode.USAGE,
}

// By its code and not by its class: a configuration may load a second copy of the package.
export function exitCodeOf(error: unknown): ExitCode {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return (typeof code === 'string' ? OF_ERRORS[code] : undefined) ?? ExitCode.ERROR
}
