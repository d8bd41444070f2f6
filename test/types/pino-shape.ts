interface LogFunction {
  (details: object, message?: string, ...values: unknown[]): void
  (message: string, ...values: unknown[]): void
}

/** What pino's logger looks like to the type checker. */
export declare const pino: Readonly<Record<'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace', LogFunction>>
