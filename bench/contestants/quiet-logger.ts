import type { Logger } from 'evenkeel'

/** Says only what shouldn't happen: the queues here are strange on purpose. */
export const QUIET: Logger = {
  debug() {},
  info() {},
  warn() {},
  error: (details, message) => console.error(message, details),
}
