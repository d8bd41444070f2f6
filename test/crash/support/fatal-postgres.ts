import type { Database } from 'evenkeel'
import { fromPg, type FromPgOptions } from 'evenkeel/pg'
import pg from 'pg'
import type { Fatal } from './fatal.js'

/** A PostgreSQL database below whose driver every statement is counted, whichever connection it is sent on. */
export function openFatalPostgres(url: string, fatal: Fatal, options: FromPgOptions = {}): Database<never> {
  class FatalClient extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      super(config)
      const send = this.query.bind(this) as (...args: unknown[]) => unknown
      const counted = (...args: unknown[]) => fatal.around(textOf(args[0]), () => send(...args))
      this.query = counted as typeof this.query
    }
  }
  const pool = new pg.Pool({ connectionString: url, max: 4, Client: FatalClient })
  return fromPg(pool, options) as unknown as Database<never>
}

// A text, or a query as an object.
function textOf(query: unknown): string {
  return typeof query === 'string' ? query : String((query as { text?: unknown } | null)?.text)
}
