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

/** A logger that can't harm whoever logs: what it throws is dropped, for where should it be logged? */
export function harmless(logger: Logger): Logger {
  const safe = (level: keyof Logger) => (details: object, message: string) => {
    try {
      const result: unknown = logger[level](details, message)
      if (result instanceof Promise) result.catch(() => {})
    } catch {
      // Nothing: see above.
    }
  }
  return { debug: safe('debug'), info: safe('info'), warn: safe('warn'), error: safe('error') }
}

function writeLine(level: string, details: object, message: string): void {
  process.stderr.write(`evenkeel ${level}: ${message} ${JSON.stringify(details, errorAsText)}\n`)
}

function errorAsText(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.message
  return typeof value === 'bigint' ? value.toString() : value
}
