import type { Tables } from '../tables.js'

// A module instead of two .sql files: it needs no loader in any bundler, and both databases stand side by side.

/**
 * `attempts` counts failures in a row, `failures` all of them; `outcomes` is the last 20 batches, `.` committed and `x`
 * failed. `state` is `queued`, `paused` or `failed`: an update is running while its lease is live.
 */
export function postgres(tables: Tables): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${tables.queue} (
  update_name TEXT PRIMARY KEY,
  progress_json TEXT NOT NULL DEFAULT '{}',
  depends_on TEXT,
  ordering INTEGER NOT NULL DEFAULT 0
)`,
    // Separate, so that an existing table of the four public columns is adopted.
    `ALTER TABLE ${tables.queue}
  ALTER COLUMN progress_json SET DEFAULT '{}',
  ALTER COLUMN ordering SET DEFAULT 0,
  ADD COLUMN IF NOT EXISTS state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'paused', 'failed')),
  ADD COLUMN IF NOT EXISTS state_by TEXT,
  ADD COLUMN IF NOT EXISTS state_reason TEXT,
  ADD COLUMN IF NOT EXISTS enqueued_at TIMESTAMPTZ DEFAULT now(),
  ADD COLUMN IF NOT EXISTS enqueued_by TEXT,
  ADD COLUMN IF NOT EXISTS started_at TIMESTAMPTZ,
  ADD COLUMN IF NOT EXISTS batches BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS items BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS busy_ms DOUBLE PRECISION NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS failures INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS attempts INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS outcomes TEXT NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS last_error TEXT,
  ADD COLUMN IF NOT EXISTS retry_at TIMESTAMPTZ,
  ADD COLUMN IF NOT EXISTS batch_size INTEGER,
  ADD COLUMN IF NOT EXISTS tuner_json TEXT,
  ADD COLUMN IF NOT EXISTS statistics_json TEXT,
  ADD COLUMN IF NOT EXISTS lease_owner TEXT,
  ADD COLUMN IF NOT EXISTS lease_token TEXT,
  ADD COLUMN IF NOT EXISTS lease_expires_at TIMESTAMPTZ`,
    `CREATE TABLE ${tables.history} (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  update_name TEXT NOT NULL,
  outcome TEXT NOT NULL,
  enqueued_at TIMESTAMPTZ,
  enqueued_by TEXT,
  started_at TIMESTAMPTZ,
  finished_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  finished_by TEXT,
  reason TEXT,
  batches BIGINT NOT NULL DEFAULT 0,
  items BIGINT NOT NULL DEFAULT 0,
  busy_ms DOUBLE PRECISION NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  progress_json TEXT NOT NULL DEFAULT '{}'
)`,
    `CREATE INDEX background_update_history_name_idx ON ${tables.history} (update_name, id)`,
    `CREATE TABLE ${tables.quarantine} (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  update_name TEXT NOT NULL,
  key_json TEXT NOT NULL,
  error TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 1,
  quarantined_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (update_name, key_json)
)`,
    `CREATE TABLE ${tables.settings} (
  name TEXT PRIMARY KEY,
  value_json TEXT NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  changed_by TEXT
)`,
  ]
}

export function sqlite(tables: Tables): string[] {
  return [
    `CREATE TABLE ${tables.queue} (
  update_name TEXT NOT NULL PRIMARY KEY,
  progress_json TEXT NOT NULL DEFAULT '{}',
  depends_on TEXT,
  ordering INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'paused', 'failed')),
  state_by TEXT,
  state_reason TEXT,
  enqueued_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  enqueued_by TEXT,
  started_at TEXT,
  batches INTEGER NOT NULL DEFAULT 0,
  items INTEGER NOT NULL DEFAULT 0,
  busy_ms REAL NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  outcomes TEXT NOT NULL DEFAULT '',
  last_error TEXT,
  retry_at TEXT,
  batch_size INTEGER,
  tuner_json TEXT,
  statistics_json TEXT,
  lease_owner TEXT,
  lease_token TEXT,
  lease_expires_at TEXT
)`,
    `CREATE TABLE ${tables.history} (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  update_name TEXT NOT NULL,
  outcome TEXT NOT NULL,
  enqueued_at TEXT,
  enqueued_by TEXT,
  started_at TEXT,
  finished_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  finished_by TEXT,
  reason TEXT,
  batches INTEGER NOT NULL DEFAULT 0,
  items INTEGER NOT NULL DEFAULT 0,
  busy_ms REAL NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  progress_json TEXT NOT NULL DEFAULT '{}'
)`,
    `CREATE INDEX background_update_history_name_idx ON ${tables.history} (update_name, id)`,
    `CREATE TABLE ${tables.quarantine} (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  update_name TEXT NOT NULL,
  key_json TEXT NOT NULL,
  error TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 1,
  quarantined_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UNIQUE (update_name, key_json)
)`,
    `CREATE TABLE ${tables.settings} (
  name TEXT NOT NULL PRIMARY KEY,
  value_json TEXT NOT NULL,
  changed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  changed_by TEXT
)`,
  ]
}
