import { expect } from 'vitest'
import { inOrder } from './rules.js'
import type { Model } from './model.js'
import type { World } from './world.js'

/** What the model and the database are compared by. */
export interface Snapshot {
  readonly now: number
  readonly disabled: boolean
  readonly rows: readonly RowSnapshot[]
  readonly history: readonly object[]
  readonly traces: Readonly<Record<string, number>>
}

interface RowSnapshot {
  readonly name: string
  readonly retryAt: number | null
  readonly lease: { readonly owner: string | null; readonly until: number | null } | null
}

/** The database as it is. */
export async function readSnapshot({ ground, now }: World): Promise<Snapshot> {
  const ms = (column: string) =>
    ground.dialect === 'postgres'
      ? `CAST(extract(epoch FROM ${column}) * 1000 AS DOUBLE PRECISION) AS ${column}`
      : column
  const rows = await ground.query<RawRow>(
    `SELECT update_name, ordering, depends_on, state, state_by, attempts, outcomes, failures,
       CAST(batches AS INTEGER) AS batches, CAST(items AS INTEGER) AS items, progress_json, last_error,
       ${ms('retry_at')}, lease_owner, lease_token, ${ms('lease_expires_at')}
     FROM background_updates
     ORDER BY ordering, update_name ${ground.dialect === 'postgres' ? 'COLLATE "C"' : ''}`,
  )
  const history = await ground.query(
    `SELECT update_name AS name, outcome, CAST(batches AS INTEGER) AS batches, CAST(items AS INTEGER) AS items,
       failures, progress_json AS progress
     FROM background_update_history
     ORDER BY id`,
  )
  const traces = await ground.query<{ name: string; count: number }>(
    'SELECT name, CAST(count(*) AS INTEGER) AS count FROM traces GROUP BY name',
  )
  const settings = await ground.query("SELECT 1 AS found FROM background_update_settings WHERE name = 'disabled'")
  return {
    now,
    disabled: settings.rows.length > 0,
    rows: rows.rows.map((raw) => ({
      name: raw.update_name,
      ordering: raw.ordering,
      dependsOn: (raw.depends_on ?? '').split(',').flatMap((part) => part.trim() || []),
      state: raw.state,
      stateBy: raw.state_by,
      attempts: raw.attempts,
      outcomes: raw.outcomes,
      failures: raw.failures,
      batches: raw.batches,
      items: raw.items,
      progress: raw.progress_json,
      hasError: raw.last_error !== null,
      retryAt: timeOf(raw.retry_at),
      lease: raw.lease_token === null ? null : { owner: raw.lease_owner, until: timeOf(raw.lease_expires_at) },
    })),
    history: history.rows.map((row) => ({ ...row })),
    traces: Object.fromEntries(traces.rows.map(({ name, count }) => [name, count])),
  }
}

interface RawRow {
  update_name: string
  ordering: number
  depends_on: string | null
  state: string
  state_by: string | null
  attempts: number
  outcomes: string
  failures: number
  batches: number
  items: number
  progress_json: string
  last_error: string | null
  retry_at: string | number | null
  lease_owner: string | null
  lease_token: string | null
  lease_expires_at: string | number | null
}

function timeOf(value: string | number | null): number | null {
  return typeof value === 'string' ? Date.parse(value) : value
}

/** The model in the same shape. A back-off whose jitter nobody knows yet is what the database made of it, if it may be. */
export function snapshotOf(model: Model, real: Snapshot): Snapshot {
  const retryAtOf = (name: string) => real.rows.find((row) => row.name === name)?.retryAt ?? null
  return {
    now: model.now,
    disabled: model.disabled,
    rows: inOrder(model).map((row) => ({
      name: row.name,
      ordering: row.ordering,
      dependsOn: row.dependsOn,
      state: row.state,
      stateBy: row.stateBy,
      attempts: row.attempts,
      outcomes: row.outcomes,
      failures: row.failures,
      batches: row.batches,
      items: row.items,
      progress: row.progress,
      hasError: row.lastError !== null,
      retryAt: row.retryAt && within(retryAtOf(row.name), row.retryAt),
      lease: row.lease && { owner: row.lease.owner, until: row.lease.until },
    })),
    history: model.history,
    traces: Object.fromEntries(model.traces),
  }
}

// SQLite keeps whole milliseconds.
function within(real: number | null, { low, high }: { low: number; high: number }): number {
  return real !== null && real >= low - 1 && real <= high + 1 ? real : low
}

/** What was random is known now. */
export function adoptJitter(model: Model, real: Snapshot): void {
  for (const { name, retryAt } of real.rows) {
    const row = model.rows.get(name)
    if (row?.retryAt && retryAt !== null) row.retryAt = { low: retryAt, high: retryAt }
  }
}

/** Holds the database against the model after every command. */
export async function compare(world: World, model: Model): Promise<void> {
  const real = await readSnapshot(world)
  expect(real).toEqual(snapshotOf(model, real))
  expect(world.calls).toBe(model.calls)
  adoptJitter(model, real)
}
