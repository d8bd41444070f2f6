import type { Dialect, Query, ReadContext, Session } from '../databases/database.js'
import type { JsonObject } from '../json.js'
import type { Logger } from '../observe/logger.js'
import type { TunerFactory } from '../pacing/tuner.js'
import type { Quarantine } from '../queue/quarantine.js'

/** Which update of which database a handler works for. */
export interface UpdateIdentity {
  readonly name: string
  readonly databaseName: string
}

/** What every handler is given, whatever its kind. */
export interface HandlerContext<Progress> {
  /** A private copy of the saved progress: changing it changes nothing until it is returned. */
  readonly progress: Progress
  /** How long this batch should take, in ms. */
  readonly targetMs: number
  /** Aborts when the updater stops and its grace is over: give up, the batch is rolled back. */
  readonly signal: AbortSignal
  readonly log: Logger
  readonly update: UpdateIdentity
  readonly dialect: Dialect
}

/** Before the batch's transaction: no transaction is open, `query` reads in autocommit on a connection of its own. */
export interface PrepareContext<Progress> extends HandlerContext<Progress> {
  readonly batchSize: number
  readonly query: Query
  /** One pinned connection in autocommit, for what can't run in a transaction; no deadline applies to it. */
  readonly session: <T>(work: (session: Session) => Promise<T>) => Promise<T>
}

/** Inside the batch's transaction. */
export interface BatchContext<Tx, Progress, Prepared = undefined> extends HandlerContext<Progress> {
  /** The driver's own transaction: what is done here is committed together with the progress. */
  readonly tx: Tx
  /** How many items this batch should handle. */
  readonly batchSize: number
  /** What `prepare` returned. */
  readonly prepared: Prepared
  /** SQL in the batch's transaction, with `$1` placeholders on either database. */
  readonly query: Query
  /** Rows that are set aside: see `rowBackfill`. */
  readonly quarantine: Quarantine
  /** Lifts the deadline of this batch, for a statement that can't be cut into smaller ones. */
  readonly liftDeadline: () => void
}

/** A one-shot update: one pinned connection in autocommit. */
export interface OneShotContext<Tx, Progress> extends HandlerContext<Progress> {
  readonly session: Session<Tx>
  /** The connection of `session`. */
  readonly tx: Tx
  readonly query: Query
}

/** What a batch hands back. */
export interface BatchResult<Progress> {
  /** The cost of the batch in items, usually rows examined; a whole number of at least 0. */
  readonly items: number
  /** The new bookmark; left out, the old one stays. */
  readonly progress?: Progress
  /** True ends the update. Zero items alone don't. Default false. */
  readonly done?: boolean
  /** False keeps the batch from the tuner, because its time says nothing about the next batch. Default true. */
  readonly tune?: boolean
}

/** What a one-shot hands back; nothing at all means done. */
export interface OneShotResult<Progress> {
  readonly items?: number
  readonly progress?: Progress
  /** False runs the handler again. Default true. */
  readonly done?: boolean
}

/** How far an update is, read from its progress or, for a one-shot, from the catalogue. */
export interface ProgressReport {
  /** Share of the whole walk, 0 to 1; null when it can't be told. */
  readonly fraction: number | null
  /** What it does now, for people: `walk`, `verify`, `building index: scanning table`. */
  readonly phase?: string
  /** More for people, in a sentence: whom it waits for, what it found. */
  readonly detail?: string
}

/** Settings that an update may have of its own; they win over those of the updater. */
export interface UpdateSettings {
  /** How long a batch should take, in ms. Default: the updater's. */
  readonly targetMs?: number
  /** Size of the first batch, in items. Default: the updater's. */
  readonly defaultBatchSize?: number
  /** In items. Default: the updater's. */
  readonly minBatchSize?: number
  /** In items. Default: the updater's. */
  readonly maxBatchSize?: number
  readonly tuner?: TunerFactory
  /**
   * Cancels a batch that takes longer than this many times its target; the next one is a tenth. At least 1. Default: no
   * deadline. SQLite can't interrupt a statement: there it has no effect.
   */
  readonly deadline?: number
  /** Failures in a row before the update is failed. Default: the updater's. */
  readonly maxAttempts?: number
}

/** What all updates share, ready-made or not. */
export interface CommonOptions extends UpdateSettings {
  /** The name in the queue: unique, not empty, no comma. */
  readonly name: string
  /** Names that must be finished first; default of the queue row. */
  readonly dependsOn?: string | readonly string[]
  /** Lower runs first; default of the queue row. Default 0. */
  readonly ordering?: number
  /** The one database that it is for: on the other it is finished at once, with the outcome `not applicable`. */
  readonly on?: Dialect
}

/**
 * A Standard Schema (https://standardschema.dev), as zod, valibot and arktype implement it; only what checking a
 * progress needs.
 */
export interface ProgressSchema<Progress> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    validate(value: unknown): SchemaResult<Progress> | Promise<SchemaResult<Progress>>
    readonly types?: { readonly input: unknown; readonly output: Progress } | undefined
  }
}

type SchemaResult<Progress> =
  | { readonly value: Progress; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[] }

// What handlers return is unknown here: it is checked, never trusted. So updates of any progress fit into one list.
interface DefinitionBase {
  readonly name: string
  /** `custom`, or the ready-made kind: `backfill`, `createIndex`, … */
  readonly kind: string
  readonly dependsOn: readonly string[]
  readonly ordering: number
  /** First progress of a row that `enqueue` writes. */
  readonly initialProgress: JsonObject
  readonly settings: UpdateSettings
  readonly on?: Dialect
  /** Databases that this update can run on; the updater refuses another at start. */
  readonly dialects: readonly Dialect[]
  readonly schema?: ProgressSchema<unknown>
  /** Holds the options against the catalogue; called once per process before the first batch. Throws what is wrong. */
  check?(context: ReadContext): Promise<void>
  /** How far it is. `progress` is what the row holds. */
  report?(progress: JsonObject): ProgressReport
  /** How far it is by the catalogue, while it runs anywhere. */
  inspect?(context: ReadContext, progress: JsonObject): Promise<ProgressReport>
}

/** An update in batches, each one transaction. Made by `defineUpdate` and the ready-made kinds. */
export interface BatchedUpdate<Tx = never, Progress = never> extends DefinitionBase {
  readonly oneShot: false
  prepare?(context: PrepareContext<Progress>): Promise<unknown>
  batch(context: BatchContext<Tx, Progress, never>): Promise<BatchResult<unknown>>
}

/** An update of one statement outside a transaction. */
export interface OneShotUpdate<Tx = never, Progress = never> extends DefinitionBase {
  readonly oneShot: true
  /**
   * Asks the catalogue whether the result exists and is valid: before `run`, which is then left out, and after it,
   * for only then is the row removed.
   */
  isDone?(context: OneShotContext<Tx, Progress>): Promise<boolean>
  run(context: OneShotContext<Tx, Progress>): Promise<OneShotResult<unknown> | void>
}

/** Any update over transactions of type `Tx`. */
export type UpdateDefinition<Tx = never, Progress = never> = BatchedUpdate<Tx, Progress> | OneShotUpdate<Tx, Progress>
