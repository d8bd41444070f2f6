import type { Database } from './databases/database.js'
import type { JsonObject, JsonValue } from './json.js'
import { etaSeconds } from './pacing/eta.js'
import { statisticsOfLanes } from './lane-statistics.js'
import { furthest, itemsPerSecond, restoreStatistics, type Statistics } from './pacing/statistics.js'
import type { LaneRow } from './queue/lane-store.js'
import { isTooDeep } from './queue/progress.js'
import type { QueueStore } from './queue/queue-store.js'
import { explainQueue, needsPerson, PAUSED_BY_US, type Waiting, type WaitingCode } from './queue/reasons.js'
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
  /** Who runs it; of an update in lanes, the first of those who do. */
  readonly owner: string | null
  /** The ranges that its walk was split into; empty while it walks as one. */
  readonly lanes: readonly LaneStatus[]
  readonly performance: UpdatePerformance
}

/** One lane of an update that was split. */
export interface LaneStatus {
  readonly lane: number
  readonly state: 'waiting' | 'running' | 'finished'
  /** Share of its own range, 0 to 1; null when it can't be told. */
  readonly fraction: number | null
  readonly items: number
  readonly batches: number
  /** Who works on it; null when nobody does. */
  readonly owner: string | null
  /** ISO time in UTC until which it waits after a failure, else null. */
  readonly backsOffUntil: string | null
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
  const local = [...source.localReasons]
  const add = (name: string, reason: Waiting) => reasons.has(name) || reasons.set(name, reason)
  for (const [name, reason] of local) if (reason.code !== 'throttled') add(name, reason)
  if (disabled) {
    for (const row of rows) {
      // What it waited for until a moment ago isn't why it waits now.
      if (reasons.get(row.name)?.code === 'throttled') reasons.delete(row.name)
      add(row.name, switchedOff(disabled))
    }
  }
  // Last: it may be what was waited for until a moment ago.
  for (const [name, reason] of local) if (reason.code === 'throttled') add(name, reason)
  const lanes = rows.some(({ laneCount }) => laneCount > 0) ? await store.lanes.rows(null) : []
  const updates: UpdateStatus[] = []
  for (const row of rows) {
    const own = row.laneCount === 0 ? [] : lanes.filter(({ updateName }) => updateName === row.name)
    // Whoever works on one lane doesn't wait for another.
    const waits = !own.some((lane) => lane.owner === owner) || reasons.get(row.name)?.code !== 'held'
    updates.push(await updateStatus(source, row, own, waits ? (reasons.get(row.name) ?? null) : null))
  }
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

// Nothing can run, and one of the reasons is a person's. A person's pause is a decision already, not a call for one.
function isStuck(rows: readonly QueueRowDetails[], reasons: ReadonlyMap<string, Waiting>): boolean {
  const codes = rows.map((row) => reasons.get(row.name)?.code)
  const nothingCanRun = codes.every((code) => code !== undefined && (needsPerson(code) || code === 'waits_for'))
  const callsForPerson = (code: WaitingCode | undefined, index: number) =>
    code !== undefined && needsPerson(code) && (code !== 'paused' || rows[index]?.stateBy === PAUSED_BY_US)
  return nothingCanRun && codes.some(callsForPerson)
}

async function updateStatus<Tx>(
  source: StatusSource<Tx>,
  row: QueueRowDetails,
  lanes: readonly LaneRow[],
  waiting: Waiting | null,
): Promise<UpdateStatus> {
  const definition = source.registry.get(row.name)
  const progress = objectOf(row.progressJson)
  const inLanes = lanes.length > 0
  const running = row.state === 'queued' && row.holder !== null
  const report = inLanes ? reportOfLanes(source, row, lanes) : await reportOf(source, row, progress, running)
  // The way of all lanes is measured along the key; the shares of single ones are estimates.
  const statistics = inLanes
    ? { ...statisticsOfLanes(lanes), fraction: report?.fraction ?? null }
    : restoreStatistics(parse(row.statisticsJson))
  return {
    name: row.name,
    state: running ? 'running' : row.state,
    ordering: row.ordering,
    dependsOn: row.dependsOn,
    oneShot: definition?.oneShot ?? false,
    progress,
    fraction: furthest(statistics, report?.fraction ?? null),
    phase: report?.phase ?? null,
    detail: report?.detail ?? null,
    items: row.items,
    batches: row.batches,
    failures: row.failures,
    batchSize: row.batchSize,
    itemsPerSecond: itemsPerSecond(statistics),
    etaSeconds: etaSeconds(statistics, row.batches, report?.wholeMayBeOff),
    waiting,
    lastError: row.lastError,
    owner: row.holder?.owner ?? null,
    lanes: lanes.map(laneStatus),
    performance: performanceOf(row, statistics),
  }
}

function reportOfLanes<Tx>(
  source: StatusSource<Tx>,
  row: QueueRowDetails,
  lanes: readonly LaneRow[],
): ProgressReport | null {
  const definition = source.registry.get(row.name)
  if (definition === undefined || definition.oneShot) return null
  try {
    const progress = lanes.map(({ progressJson }) => objectOf(progressJson))
    return definition.lanes?.report(objectOf(row.progressJson), progress) ?? null
  } catch {
    return null
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

function performanceOf(row: QueueRowDetails, statistics: Statistics): UpdatePerformance {
  return {
    totalItems: row.items,
    totalDurationMs: row.busyMs,
    averageItemsPerMs: statistics.recentMs > 0 ? statistics.recentItems / statistics.recentMs : null,
    totalItemsPerMs: row.busyMs > 0 ? row.items / row.busyMs : null,
    batches: row.batches,
    failures: row.failures,
  }
}

function laneStatus(row: LaneRow): LaneStatus {
  const { lane, items, batches, owner, backsOffUntil } = row
  const state = row.finished ? 'finished' : owner === null ? 'waiting' : 'running'
  const fraction = row.finished ? 1 : restoreStatistics(parse(row.statisticsJson)).fraction
  return { lane, state, fraction: fraction ?? (batches === 0 ? 0 : null), items, batches, owner, backsOffUntil }
}

function objectOf(text: string): JsonObject {
  const value = parse(text)
  if (isTooDeep(value, text)) return {}
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
