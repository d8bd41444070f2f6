import type { Tables } from '../tables.js'

/**
 * `lane_count` is 0 while an update walks as one, else the number of ranges it was split into; `fingerprint` is of the
 * definition that the progress belongs to; `waiting_text` is why its runner waits, until it should have said more. A
 * lane is a range of its update's walk, with a lease and failures of its own; `version` grows with every change of its
 * range or progress. The audit says who changed what and why.
 */
export function postgres(tables: Tables): string[] {
  return [
    `ALTER TABLE ${tables.queue}
  ADD COLUMN IF NOT EXISTS lane_count INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS fingerprint TEXT,
  ADD COLUMN IF NOT EXISTS waiting_text TEXT,
  ADD COLUMN IF NOT EXISTS waiting_until TIMESTAMPTZ`,
    `CREATE INDEX background_updates_order_idx ON ${tables.queue} (ordering, update_name COLLATE "C")`,
    `CREATE TABLE ${tables.lanes} (
  update_name TEXT NOT NULL REFERENCES ${tables.queue} (update_name) ON UPDATE CASCADE ON DELETE CASCADE,
  lane INTEGER NOT NULL,
  progress_json TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 0,
  finished BOOLEAN NOT NULL DEFAULT FALSE,
  items BIGINT NOT NULL DEFAULT 0,
  batches BIGINT NOT NULL DEFAULT 0,
  busy_ms DOUBLE PRECISION NOT NULL DEFAULT 0,
  batch_size INTEGER,
  tuner_json TEXT,
  statistics_json TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  outcomes TEXT NOT NULL DEFAULT '',
  retry_at TIMESTAMPTZ,
  lease_owner TEXT,
  lease_token TEXT,
  lease_expires_at TIMESTAMPTZ,
  PRIMARY KEY (update_name, lane)
)`,
    `CREATE TABLE ${tables.audit} (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at TIMESTAMPTZ NOT NULL DEFAULT now(),
  done_by TEXT,
  action TEXT NOT NULL,
  subject TEXT,
  reason TEXT,
  before_json TEXT,
  after_json TEXT
)`,
  ]
}

export function sqlite(tables: Tables): string[] {
  return [
    `ALTER TABLE ${tables.queue} ADD COLUMN lane_count INTEGER NOT NULL DEFAULT 0`,
    `ALTER TABLE ${tables.queue} ADD COLUMN fingerprint TEXT`,
    `ALTER TABLE ${tables.queue} ADD COLUMN waiting_text TEXT`,
    `ALTER TABLE ${tables.queue} ADD COLUMN waiting_until TEXT`,
    `CREATE INDEX background_updates_order_idx ON ${tables.queue} (ordering, update_name)`,
    `CREATE TABLE ${tables.lanes} (
  update_name TEXT NOT NULL REFERENCES ${tables.queue} (update_name) ON UPDATE CASCADE ON DELETE CASCADE,
  lane INTEGER NOT NULL,
  progress_json TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 0,
  finished INTEGER NOT NULL DEFAULT 0,
  items INTEGER NOT NULL DEFAULT 0,
  batches INTEGER NOT NULL DEFAULT 0,
  busy_ms REAL NOT NULL DEFAULT 0,
  batch_size INTEGER,
  tuner_json TEXT,
  statistics_json TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  outcomes TEXT NOT NULL DEFAULT '',
  retry_at TEXT,
  lease_owner TEXT,
  lease_token TEXT,
  lease_expires_at TEXT,
  PRIMARY KEY (update_name, lane)
)`,
    `CREATE TABLE ${tables.audit} (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  done_by TEXT,
  action TEXT NOT NULL,
  subject TEXT,
  reason TEXT,
  before_json TEXT,
  after_json TEXT
)`,
  ]
}
