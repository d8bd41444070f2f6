export { BackgroundUpdater, type NextBatchResult, type SetOptions, type StopOptions } from './updater.js'
export type { UpdateReference } from './update-reference.js'
export type { PaceReport, Why } from './explain.js'
export type { StoredSetting } from './live/stored-settings.js'
export type { AuditEntry } from './queue/audit.js'
export { BackgroundUpdaterGroup } from './group.js'
export {
  defineConfig,
  type AnyDatabase,
  type Config,
  type DatabaseConfig,
  type DatabasesConfig,
  type DatabaseSource,
} from './config.js'
export { UpdaterStatus, type UpdaterStatusCode, type UpdaterStatusName } from './updater-status.js'
export type { UpdaterOptions } from './settings.js'
export type { DatabaseStatus, LaneStatus, Status, UpdatePerformance, UpdateStatus } from './status.js'
export type { CompletionOptions, CompletionResult } from './run-to-completion.js'
export type { WaitOptions } from './wait-for.js'
export type { Controller, ControllerHandle, ControllerInfo } from './controller.js'
export { ControllerError } from './controller.js'
export type { AcceptingOptions, EnqueueOptions, Reasoned, RetryOptions } from './queue/control.js'
export type { Quarantine, QuarantinedRow } from './queue/quarantine.js'
export type { HistoryEntry } from './queue/history.js'
export type { Waiting, WaitingCode } from './queue/reasons.js'
export { installSql, type InstallResult } from './schema/install.js'
export { defineUpdate, type BatchedOptions, type OneShotOptions } from './updates/define.js'
export type {
  BatchContext,
  BatchedUpdate,
  BatchResult,
  CommonOptions,
  Measured,
  OneShotContext,
  OneShotResult,
  OneShotUpdate,
  PrepareContext,
  ProgressReport,
  ProgressSchema,
  UpdateDefinition,
  UpdateSettings,
} from './updates/definition.js'
export {
  backfill,
  VerificationError,
  type BackfillOptions,
  type BackfillRange,
  type BackfillRun,
  type RunSql,
} from './updates/backfill.js'
export {
  MapResultError,
  rowBackfill,
  RowFailedError,
  RowsNotWrittenError,
  type RowBackfillOptions,
  type RowChange,
  type RowContext,
} from './updates/row-backfill.js'
export { deleteRows, DeleteLimitError, RowsNotKeptError, type DeleteRowsOptions } from './updates/delete-rows.js'
export type { Preview, PreviewContext } from './updates/preview/preview.js'
export { WalkChangedError } from './updates/walk/over.js'
export type { RowLimit } from './updates/row-limit.js'
export * from './updates/create-index.js'
export {
  check,
  foreignKey,
  notNull,
  unique,
  type CheckConstraint,
  type ColumnPair,
  type Constraint,
  type Deferrable,
  type ForeignKeyConstraint,
  type ForeignKeyOptions,
  type NotNullConstraint,
  type OnViolation,
  type ReferentialAction,
  type UniqueConstraint,
} from './updates/constraints/constraint.js'
export {
  addConstraint,
  type AddConstraintOptions,
  type AddConstraintResult,
} from './updates/constraints/add-constraint.js'
export { validateConstraint, type ValidateConstraintOptions } from './updates/constraints/validate-constraint.js'
export {
  validateConstraintAndRepair,
  type ValidateAndRepairOptions,
} from './updates/constraints/validate-constraint-and-repair.js'
export { setNotNull, type SetNotNullOptions } from './updates/constraints/set-not-null.js'
export * from './updates/constraints/errors.js'
export { guardedTuner, type GuardedTunerOptions } from './pacing/tuner-guarded.js'
export { emaTuner } from './pacing/tuner-ema.js'
export type { Tuner, TunerContext, TunerDecision, TunerFactory, TunerSample } from './pacing/tuner.js'
export {
  adaptivePace,
  type AdaptivePace,
  type AdaptivePaceOptions,
  type PaceKnobs,
  type PacePreset,
} from './pacing/adaptive-pace.js'
export type { Budgets } from './pacing/budgets/budgets.js'
export type { Windows } from './pacing/windows/windows.js'
export { fixedPace, noPace } from './pacing/fixed-pace.js'
export type {
  BatchLimits,
  Pace,
  PaceContext,
  PaceDecision,
  PaceExplanation,
  PaceInput,
  PaceSample,
  WalSample,
  Pause,
} from './pacing/pace.js'
export type { Reading, SignalKind, SignalSample, Verdict } from './pacing/reading.js'
export { signal, type SignalOptions } from './signals/own-signal.js'
export { postgresSignals, type PostgresSignalsOptions } from './signals/postgres-signals.js'
export { sqliteSignals, type SqliteSignalsOptions } from './signals/sqlite-signals.js'
export type { SignalsOption } from './signals/option.js'
export type { Signal, SignalContext } from './signals/signal.js'
export type { SignalSet } from './signals/signal-set.js'
export type {
  BusyWaits,
  Capabilities,
  Closing,
  Database,
  Dialect,
  PipelineOptions,
  Query,
  QueryOptions,
  QueryResult,
  ReadContext,
  Session,
  Statement,
  TimedOptions,
  TimedResult,
  TransactionOptions,
} from './databases/database.js'
export type { TableName } from './databases/identifier.js'
export type { Clock } from './clock.js'
export type { Logger } from './observe/logger.js'
export type { UpdaterEvents } from './observe/events.js'
export type { JsonObject, JsonValue } from './json.js'
export * from './errors.js'
export { DatabaseBusyError, DatabaseFileError } from './databases/drivers/sqlite-errors.js'
export { HandlerConnectionError } from './batch/handler-connection.js'
export { ResultMissingError, SessionNotPinnedError } from './batch/run-one-shot.js'
export { UpdaterStoppedError } from './run-to-completion.js'
export * from './updates/constraints/sqlite-rebuild/errors.js'
