/** What `pg` answers to one statement. */
export interface PgAnswer {
  rows: unknown[]
  rowCount: number | null
  command: string
}

/** A statement as `pg` takes it; one with a name is prepared. */
export interface PgQuery {
  readonly text: string
  readonly values?: unknown[]
  readonly name?: string
}

/** The part of `pg.PoolClient` that Evenkeel uses; structural, so that no type of `pg` is needed to compile. */
export interface PgClient {
  query(query: string | PgQuery, values?: unknown[]): Promise<PgAnswer>
  release(error?: Error | boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}
