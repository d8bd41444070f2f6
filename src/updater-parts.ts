import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { BatchRunners } from './batch/batch-runners.js'
import { WalCheckpoints } from './databases/wal-checkpoints.js'
import { LiveSettings } from './live/live-settings.js'
import { UpdaterEmitter } from './observe/events.js'
import { Pacer } from './pacer.js'
import { adaptivePace } from './pacing/adaptive-pace.js'
import { BackOffs } from './queue/back-off.js'
import { QueueControl } from './queue/control.js'
import { readOtherRunners } from './queue/other-runners.js'
import { QueueReporter } from './queue/queue-reporter.js'
import { QueueStore } from './queue/queue-store.js'
import type { Onlooker } from './queue/reasons.js'
import { Readiness } from './readiness.js'
import { Registry } from './registry.js'
import { Runner } from './runner.js'
import { resolveSettings, type ResolvedSettings, type UpdaterOptions } from './settings.js'
import { countedDatabase } from './signals/counted-database.js'
import { resolveSignals } from './signals/option.js'
import { SignalSampler } from './signals/sampler.js'
import type { UpdateDefinition } from './updates/definition.js'

/** What an updater is made of. Each part does one thing; only here are they held against each other. */
export interface UpdaterParts<Tx> {
  /** The name of this process in leases. */
  readonly owner: string
  readonly settings: ResolvedSettings
  readonly registry: Registry<Tx>
  readonly readiness: Readiness<Tx>
  readonly store: QueueStore<Tx>
  readonly control: QueueControl<Tx>
  readonly events: UpdaterEmitter
  readonly backOffs: BackOffs
  readonly batches: BatchRunners<Tx>
  readonly pacer: Pacer
  readonly live: LiveSettings
  readonly runner: Runner<Tx>
  readonly onlooker: Onlooker
}

/** @throws ConfigurationError with every problem of the options */
export function assembleParts<Tx>(options: UpdaterOptions<Tx>): UpdaterParts<Tx> {
  const chosen = resolveSettings(options)
  const { databaseName, clock, leaseMs, logger: log, schema } = chosen
  const owner = chosen.owner ?? `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`
  const { database, commits } = countedDatabase(options.database)
  const { dialect } = database

  const registry = new Registry(options.updates ?? [])
  const onlooker: Onlooker = { owner, hasHandler: (name) => registry.has(name) }
  const events = new UpdaterEmitter(log)
  // A database that is silent for two leases is as good as away.
  const store = new QueueStore(database, schema, 2 * leaseMs)
  const control = new QueueControl(database, databaseName, store, events)
  const readiness = new Readiness(options.database, databaseName, registry, store)
  const backOffs = new BackOffs(clock)
  const live = new LiveSettings({
    databaseName,
    dialect,
    tables: store.tables,
    read: store.ask,
    clock,
    events,
    log,
    changed: () => turnPace(pacer, live, chosen),
  })
  const settings = { ...chosen, changed: live }
  const checkpoints = dialect === 'sqlite' ? new WalCheckpoints(database, clock, settings.targetMs) : null
  const signals = new SignalSampler({
    database,
    databaseName,
    signals: resolveSignals(settings.signals, dialect),
    own: {
      commits,
      otherRunners: (query) => readOtherRunners(query, store.tables, owner),
      busyWaits: () => database.busyWaits?.() ?? null,
      backends: () => options.database.backends?.() ?? null,
      batchRunning: () => batches.current !== null,
      checkpoints,
    },
    clock,
    log,
  })
  const pacer = new Pacer({
    databaseName,
    dialect,
    pace: settings.pace ?? adaptivePace(),
    limits: settings,
    clock,
    epochMs: Date.now,
    events,
    signals,
  })
  const lanes = dialect === 'sqlite' ? 1 : lanesHere(settings.lanes, options.updates ?? [])
  const batches: BatchRunners<Tx> = new BatchRunners(lanes, {
    around: { database, databaseName, store, clock, log, leaseMs },
    settings,
    owner,
    events,
    backOffs,
    random: Math.random,
    newToken: randomUUID,
    committed: (sample) => pacer.afterBatch(sample),
    onMoreLanes: () => runner.mayHaveWork(),
  })
  events.on('batch:success', ({ durationMs }) => checkpoints?.batchEnded(durationMs))
  events.on('update:complete', () => checkpoints?.updateEnded())
  const runner: Runner<Tx> = new Runner({
    databaseName,
    owner,
    store,
    registry,
    events,
    settings,
    batches,
    pacer,
    backOffs,
    signals,
    checkpoints,
    live,
    reporter: new QueueReporter({ databaseName, store, registry, events, onlooker, log }),
    ready: () => readiness.ready(),
    random: Math.random,
  })
  return {
    owner,
    settings,
    registry,
    readiness,
    store,
    control,
    events,
    backOffs,
    batches,
    pacer,
    live,
    runner,
    onlooker,
  }
}

/** What is stored beats what the options say. */
function turnPace(pacer: Pacer, live: LiveSettings, { budgets, windows }: ResolvedSettings): void {
  pacer.turn(live.pace, { budgets: { ...budgets, ...live.budgets }, windows: live.windows ?? windows })
}

// As many loops as the update with the most lanes needs; one doesn't need more than it wants.
function lanesHere<Tx>(lanes: number, updates: readonly UpdateDefinition<Tx, never>[]): number {
  return Math.max(lanes, ...updates.map((update) => (update.oneShot ? 1 : (update.lanes?.wanted ?? 1))))
}
