import type { Dialect, Query, ReadContext, Session, Statement } from '../databases/database.js'
import type { TableName } from '../databases/identifier.js'
import type { JsonObject } from '../json.js'
import type { StatementSample } from '../pacing/statement-size.js'
import type { Logger } from '../observe/logger.js'
import type { TunerFactory } from '../pacing/tuner.js'
import type { Quarantine } from '../queue/quarantine.js'
import type { Preview, PreviewContext } from './preview/preview.js'

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
  /**
   * How many of them one statement should handle at most. Less than `batchSize` while others work on the database: a
   * statement keeps a processor to itself, a batch in several statements lets others have it in between.
   */
  readonly statementSize: number
  /** To be awaited between two such statements: a rest while others work on the database, else nothing. */
  readonly rest: () => Promise<void>
  /** Measures small statements: see `Measured`. */
  readonly measured: Measured
  /** What `prepare` returned. */
  readonly prepared: Prepared
  /** SQL in the batch's transaction, with `$1` placeholders on either database. */
  readonly query: Query
  /** Rows that are set aside: see `rowBackfill`. */
  readonly quarantine: Quarantine
  /** Lifts the deadline of this batch, for a statement that can't be cut into smaller ones. */
  readonly liftDeadline: () => void
}

/**
 * Runs statements by a `query` of its own, while others work on the database and batches are small: their way to the
 * server and back isn't counted as what items cost. Resolves to how long the server worked on them, in ms, for
 * `statement` of the result; null where the driver can't tell, and while nobody else works. `empty` does the same for no
 * items; it is run now and then, to learn what of that time isn't the items'.
 */
export type Measured = <T>(
  work: (query: Query) => Promise<T>,
  empty?: (query: Query) => Promise<unknown>,
) => Promise<{ readonly value: T; readonly serverMs: number | null }>

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
  /** How much of its time, in ms, was for no item, as for a look at the catalogue: it doesn't grow with the batch. Default 0. */
  readonly overheadMs?: number
  /**
   * What the next batch will read first when it and its statements get these sizes: it is then sent together with BEGIN,
   * and a `query` of the very same text and values is answered by it. For a handler that would spare a round trip.
   */
  readonly ahead?: (batchSize: number, statementSize: number) => Statement | null
  /**
   * The quickest of its statements, for a handler that keeps to `statementSize`: the size of the next ones comes from it,
   * and without the time in the server, which `measured` tells, a slow network makes them small.
   */
  readonly statement?: StatementSample
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
  /** The factor by which the whole may be more or less than `fraction` takes it to be: it widens the ETA. Default 1. */
  readonly wholeMayBeOff?: number
  /** What it does now, for people: `walk`, `verify`, `building index: scanning table`. */
  readonly phase?: string
  /** More for people, in a sentence: whom it waits for, what it found. */
  readonly detail?: string
  /** Whom it waits for in the database, without what changes from look to look; it is logged once per change. */
  readonly waitsFor?: string
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
  /** In ms, 0 is no limit. Default: the updater's. */
  readonly statementTimeoutMs?: number
  /** In ms, 0 is no limit. Default: the updater's. */
  readonly lockTimeoutMs?: number
  /** In ms, 0 is no limit. Default: the updater's. */
  readonly idleInTransactionTimeoutMs?: number
  /** Default: the updater's. */
  readonly asynchronousCommit?: boolean
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
  /**
   * Takes the place of the source text of its functions in the definition's fingerprint: change it when they do something
   * else. Default: their source text counts. A change in mid-work pauses the update until a person accepts it.
   */
  readonly version?: string | number
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
  /** The table that it works on: signals look whether somebody else does too. */
  readonly table?: TableName
  /** Databases that this update can run on; the updater refuses another at start. */
  readonly dialects: readonly Dialect[]
  readonly schema?: ProgressSchema<unknown>
  /** Of what it does to a row; progress that was made under another one isn't gone on with. */
  readonly fingerprint?: string
  /** Holds the options against the catalogue; called once per process before the first batch. Throws what is wrong. */
  check?(context: ReadContext): Promise<void>
  /** It deletes or moves rows: what it would delete is logged before its first batch. */
  readonly deletes?: boolean
  /** Which rows it would change, from its progress on; null when the time was over before it could look. */
  preview?(context: PreviewContext, progress: JsonObject): Promise<Preview | null>
  /** How far it is. `progress` is what the row holds. */
  report?(progress: JsonObject): ProgressReport
  /** How far it is by the catalogue, while it runs anywhere. */
  inspect?(context: ReadContext, progress: JsonObject): Promise<ProgressReport>
}

/** What is asked of a split. */
export interface SplitRequest {
  readonly updateName: string
  /** How many lanes there should be, at least 2. */
  readonly lanes: number
  /** Rows in a batch, as far as is known. */
  readonly batchSize: number
}

/** The work of an update cut into ranges, each with a progress of its own; together they are what is left of it. */
export interface Split {
  /** The progress of the update itself: it stays as it is until all lanes have ended. */
  readonly whole: JsonObject
  readonly lanes: readonly JsonObject[]
}

/** How the work of an update is done by several runners at the same time. PostgreSQL only. */
export interface Lanes<Tx = never> {
  /** How many lanes it wants; undefined leaves it to the updater. */
  readonly wanted: number | undefined
  /** Cuts what is left of an update that nobody else holds; null when it is better done as one. */
  split(context: ReadContext, progress: JsonObject, request: SplitRequest): Promise<Split | null>
  /** Cuts what is left of a lane in two; null when that isn't worth it. Its holder may be at work meanwhile. */
  divide(
    context: ReadContext,
    lane: JsonObject,
    request: Omit<SplitRequest, 'lanes'>,
  ): Promise<readonly [kept: JsonObject, added: JsonObject] | null>
  /** About how many rows are left in a lane; to find the slowest. */
  rowsLeft(lane: JsonObject): number
  /** One batch of a lane; `done` ends the lane. */
  batch(context: BatchContext<Tx, JsonObject, never>): Promise<BatchResult<unknown>>
  /** The update's progress when all lanes have ended; not `done` goes on as one. */
  join(whole: JsonObject, lanes: readonly JsonObject[]): { readonly progress: JsonObject; readonly done: boolean }
  /** How far all lanes together are. */
  report(whole: JsonObject, lanes: readonly JsonObject[]): ProgressReport
}

/** An update in batches, each one transaction. Made by `defineUpdate` and the ready-made kinds. */
export interface BatchedUpdate<Tx = never, Progress = never> extends DefinitionBase {
  readonly oneShot: false
  /** Absent: it can only be done as one. */
  readonly lanes?: Lanes<Tx>
  prepare?(context: PrepareContext<Progress>): Promise<unknown>
  batch(context: BatchContext<Tx, Progress, never>): Promise<BatchResult<unknown>>
  /** A batch has failed, perhaps before it was called: what is remembered of the schema is read anew by the next one. */
  forgetSchema?(): void
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
