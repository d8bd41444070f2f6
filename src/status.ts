import type { Database } from './databases/database.js'
import type { JsonObject, JsonValue } from './json.js'
import { etaSeconds, itemsPerSecond, restoreStatistics, type Statistics } from './pacing/statistics.js'
import type { QueueStore } from './queue/queue-store.js'
import { explainQueue, needsPerson, type Waiting } from './queue/reasons.js'
import type { QueueRowDetails } from './queue/row.js'
import { readDisabled, type Disabled } from './queue/switch.js'
import type { Registry } from './registry.js'
import { UpdaterStatus, type UpdaterStatusCode, type UpdaterStatusName } from './updater-status.js'
import type { ProgressReport } from './updates/definition.js'

/** One update of the queue, as people and programs see it. */
export interface UpdateStatus {
  readonly name: string
  readonly state: 'queued' | 'running' | 'paused' | 'failed'
  readonly ordering: number
  readonly dependsOn: readonly string[]
  readonly oneShot: boolean
  readonly progress: JsonObject
  /** Share of the walk, 0 to 1; null when it can't be told. */
  readonly fraction: number | null
  /** What it does now, in words; null when it doesn't say. */
  readonly phase: string | null
  /** Whom it waits for in the database, what it found; null when there is nothing to say. */
  readonly detail: string | null
  readonly items: number
  readonly batches: number
  readonly failures: number
  readonly batchSize: number | null
  /** Over wall-clock time, pauses included; null when nothing was measured yet. */
  readonly itemsPerSecond: number | null
  readonly etaSeconds: readonly [low: number, high: number] | null
  /** Why it isn't run now, by this process or any. */
  readonly waiting: Waiting | null
  readonly lastError: string | null
  readonly owner: string | null
  readonly performance: UpdatePerformance
}

/** What an update did since it was enqueued; null where nothing was measured yet. */
export interface UpdatePerformance {
  readonly totalItems: number
  /** Time in batches, in ms. */
  readonly totalDurationMs: number
  /** Recent batches count more. */
  readonly averageItemsPerMs: number | null
  readonly totalItemsPerMs: number | null
  readonly batches: number
  readonly failures: number
}

export interface DatabaseStatus {
  readonly status: UpdaterStatusName
  readonly statusCode: UpdaterStatusCode
  readonly enabled: boolean
  /** Who switched it off, and why; null while it is enabled. */
  readonly disabled: Disabled | null
  /** The update that is running, here or in another process. */
  readonly current: string | null
  readonly updates: readonly UpdateStatus[]
}

/** The one shape of `status()`, `evenkeel status --json` and the HTTP API. */
export interface Status {
  readonly databases: Readonly<Record<string, DatabaseStatus>>
}

/** What this process knows beside the queue. */
export interface StatusSource<Tx> {
  readonly database: Database<Tx>
  readonly store: QueueStore<Tx>
  readonly registry: Registry<Tx>
  readonly owner: string
  /** Strict mode gave up. */
  readonly aborted: boolean
  /** The loop of this process is running. */
  readonly running: boolean
  readonly current: string | null
  /** Why this process holds an update back beside the queue's reasons. */
  readonly localReasons: ReadonlyMap<string, Waiting>
}

export async function readStatus<Tx>(source: StatusSource<Tx>): Promise<DatabaseStatus> {
  const { store, registry, owner } = source
  const [rows, disabled] = await Promise.all([store.details(), readDisabled(store.read, store.tables)])
  const reasons = explainQueue(rows, { owner, hasHandler: (name) => registry.has(name) })
  for (const [name, reason] of source.localReasons) if (!reasons.has(name)) reasons.set(name, reason)
  if (disabled) for (const row of rows) if (!reasons.has(row.name)) reasons.set(row.name, switchedOff(disabled))
  const updates: UpdateStatus[] = []
  for (const row of rows) updates.push(await updateStatus(source, row, reasons.get(row.name) ?? null))
  const status = statusName(source, rows, reasons, disabled !== null)
  return {
    status,
    statusCode: UpdaterStatus[status],
    enabled: disabled === null,
    disabled,
    current: source.current ?? rows.find((row) => row.holder !== null)?.name ?? null,
    updates,
  }
}

function switchedOff({ by, reason }: Disabled): Waiting {
  return {
    code: 'disabled',
    text: `disabled${by === null ? '' : ` by ${by}`}${reason === null ? '' : `: ${reason}`}`,
  }
}

function statusName<Tx>(
  source: StatusSource<Tx>,
  rows: readonly QueueRowDetails[],
  reasons: ReadonlyMap<string, Waiting>,
  disabled: boolean,
): UpdaterStatusName {
  if (source.aborted) return 'ABORTED'
  if (disabled) return 'DISABLED'
  if (rows.length === 0) return 'COMPLETE'
  if (source.current !== null || rows.some((row) => row.holder !== null)) return 'RUNNING_UPDATE'
  if (isStuck(rows, reasons)) return 'ABORTED'
  return source.running ? 'RUNNING_UPDATE' : 'NOT_STARTED'
}

// Nothing can run, and one of the reasons is a person's. A pause is a person's decision already, not a call for one.
function isStuck(rows: readonly QueueRowDetails[], reasons: ReadonlyMap<string, Waiting>): boolean {
  const codes = rows.map((row) => reasons.get(row.name)?.code)
  const nothingCanRun = codes.every((code) => code !== undefined && (needsPerson(code) || code === 'waits_for'))
  return nothingCanRun && codes.some((code) => code !== undefined && needsPerson(code) && code !== 'paused')
}

async function updateStatus<Tx>(
  source: StatusSource<Tx>,
  row: QueueRowDetails,
  waiting: Waiting | null,
): Promise<UpdateStatus> {
  const definition = source.registry.get(row.name)
  const progress = objectOf(row.progressJson)
  const statistics = restoreStatistics(parse(row.statisticsJson))
  const running = row.state === 'queued' && row.holder !== null
  const report = await reportOf(source, row, progress, running)
  return {
    name: row.name,
    state: running ? 'running' : row.state,
    ordering: row.ordering,
    dependsOn: row.dependsOn,
    oneShot: definition?.oneShot ?? false,
    progress,
    fraction: report?.fraction ?? null,
    phase: report?.phase ?? null,
    detail: report?.detail ?? null,
    items: row.items,
    batches: row.batches,
    failures: row.failures,
    batchSize: row.batchSize,
    itemsPerSecond: itemsPerSecond(statistics),
    etaSeconds: etaSeconds(statistics, row.batches),
    waiting,
    lastError: row.lastError,
    owner: row.holder?.owner ?? null,
    performance: performanceOf(row, statistics),
  }
}

// A report is only for people: one that can't be made must not hide the rest of the status.
async function reportOf<Tx>(
  source: StatusSource<Tx>,
  row: QueueRowDetails,
  progress: JsonObject,
  running: boolean,
): Promise<ProgressReport | null> {
  const definition = source.registry.get(row.name)
  try {
    if (running && definition?.inspect) {
      return await definition.inspect({ query: source.store.read, dialect: source.database.dialect }, progress)
    }
    return definition?.report?.(progress) ?? null
  } catch {
    return null
  }
}

export function performanceOf(row: QueueRowDetails, statistics: Statistics): UpdatePerformance {
  return {
    totalItems: row.items,
    totalDurationMs: row.busyMs,
    averageItemsPerMs: statistics.recentMs > 0 ? statistics.recentItems / statistics.recentMs : null,
    totalItemsPerMs: row.busyMs > 0 ? row.items / row.busyMs : null,
    batches: row.batches,
    failures: row.failures,
  }
}

function objectOf(text: string): JsonObject {
  const value = parse(text)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
}

function parse(text: string | null): JsonValue | undefined {
  if (text === null) return undefined
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
}
