/**
 * The queue as engine.md tells of it, in memory and without SQL: what the real one is held against. It knows no runner,
 * no transaction and no clock but its own.
 */
export interface Model {
  /** The database's clock, in ms. */
  now: number
  disabled: boolean
  readonly rows: Map<string, ModelRow>
  readonly history: ModelEnding[]
  /** How many committed batches of each update left their trace in the table that they write. */
  readonly traces: Map<string, number>
  /** How often a handler was called, committed or not. */
  calls: number
}

export interface ModelRow {
  readonly name: string
  readonly ordering: number
  readonly dependsOn: readonly string[]
  state: 'queued' | 'paused' | 'failed'
  stateBy: string | null
  attempts: number
  outcomes: string
  failures: number
  batches: number
  items: number
  /** The text of its column, which a migration may have filled with nonsense. */
  progress: string
  idleBatches: number
  lastError: string | null
  /** When its back-off ends; a range until the jitter is known. */
  retryAt: { low: number; high: number } | null
  lease: ModelLease | null
}

export interface ModelLease {
  readonly owner: string | null
  readonly token: string
  /** Null when somebody has set half of it by hand: then nobody holds it. */
  until: number | null
}

export interface ModelEnding {
  readonly name: string
  readonly outcome: 'completed' | 'cancelled' | 'not applicable'
  readonly batches: number
  readonly items: number
  readonly failures: number
  readonly progress: string
}

export function emptyModel(now: number): Model {
  return { now, disabled: false, rows: new Map(), history: [], traces: new Map(), calls: 0 }
}

export function newRow(name: string, row: Partial<ModelRow> = {}): ModelRow {
  return {
    name,
    ordering: 0,
    dependsOn: [],
    state: 'queued',
    stateBy: null,
    attempts: 0,
    outcomes: '',
    failures: 0,
    batches: 0,
    items: 0,
    progress: '{}',
    idleBatches: 0,
    lastError: null,
    retryAt: null,
    lease: null,
    ...row,
  }
}

/** A copy to play through what might have happened. */
export function cloneModel(model: Model): Model {
  return structuredClone(model)
}

/** Makes `model` what `other` is, without becoming another object. */
export function becomeModel(model: Model, other: Model): void {
  Object.assign(model, other)
}

/** Takes a row out of the queue and into the history. */
export function endRow(model: Model, row: ModelRow, outcome: ModelEnding['outcome']): void {
  const { name, batches, items, failures, progress } = row
  model.rows.delete(name)
  model.history.push({ name, outcome, batches, items, failures, progress })
}

/** The object that a progress holds, or null when it holds none. */
export function progressObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}
