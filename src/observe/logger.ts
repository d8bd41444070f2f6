/** pino's shape: an object first, then a sentence. `console` fits as well. */
export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** The default: silent but for warnings and errors, one line each on stderr. */
export const stderrLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: (details, message) => writeLine('warn', details, message),
  error: (details, message) => writeLine('error', details, message),
}

function writeLine(level: string, details: object, message: string): void {
  process.stderr.write(`evenkeel ${level}: ${message} ${JSON.stringify(details, errorAsText)}\n`)
}

function errorAsText(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.message
  return typeof value === 'bigint' ? value.toString() : value
}
