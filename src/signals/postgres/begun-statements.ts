import type { OwnWork } from '../own-work.js'
import type { SignalContext } from '../signal.js'
import { NOT_OURS, OURS_BY_TEXT } from './activity.js'

const NOW = `SELECT clock_timestamp()::text AS now`

// Of a session that this role may not look into only ids and names are shown: its backend_type is NULL.
const BEGUN = `
  SELECT
    count(*) FILTER (
      WHERE query_start > $1::text::timestamptz
        AND NOT ${OURS_BY_TEXT}
    )::int AS others,
    count(*) FILTER (WHERE backend_type IS NULL AND usesysid IS NOT NULL)::int AS hidden
  FROM pg_stat_activity
  WHERE pid <> pg_backend_pid()
    AND pid NOT IN (SELECT value::int FROM jsonb_array_elements_text($2::text::jsonb))
    AND (backend_type = 'client backend' OR backend_type IS NULL)
    AND ${NOT_OURS}`

/** Sessions of others that have begun a statement since the first look: the quickest way to see that somebody works. */
export class BegunStatements {
  readonly #own: OwnWork
  // By the server's clock; null before the first look.
  #since: string | null = null

  constructor(own: OwnWork) {
    this.#own = own
  }

  /** Null when it can't be told: at the first look, without the rights, or behind a pooler. */
  async sinceFirstLook({ query }: SignalContext): Promise<number | null> {
    const backends = this.#own.backends()
    if (backends === null) return null
    if (this.#since === null) {
      this.#since = (await query<{ now: string }>(NOW)).rows[0]?.now ?? null
      return null
    }
    const { rows } = await query<{ others: number; hidden: number }>(BEGUN, [this.#since, JSON.stringify(backends)])
    const { others = 0, hidden = 1 } = rows[0] ?? {}
    return others === 0 && hidden > 0 ? null : others
  }
}
