export { BackgroundUpdater, type NextBatchResult, type StopOptions, type UpdateReference } from './updater.js'
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
export type { DatabaseStatus, Status, UpdatePerformance, UpdateStatus } from './status.js'
export type { CompletionOptions, CompletionResult } from './run-to-completion.js'
export type { WaitOptions } from './wait-for.js'
export type { Controller, ControllerHandle, ControllerInfo } from './controller.js'
export { ControllerError } from './controller.js'
export type { EnqueueOptions, Reasoned, RetryOptions } from './queue/control.js'
export type { Quarantine } from './queue/quarantine.js'
export type { HistoryEntry } from './queue/history.js'
export type { Waiting, WaitingCode } from './queue/reasons.js'
export { installSql, type InstallResult } from './schema/install.js'
export { defineUpdate, type BatchedOptions, type OneShotOptions } from './updates/define.js'
export type {
  BatchContext,
  BatchedUpdate,
  BatchResult,
  CommonOptions,
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
  type RowBackfillOptions,
  type RowChange,
  type RowContext,
} from './updates/row-backfill.js'
export { deleteRows, RowsNotKeptError, type DeleteRowsOptions } from './updates/delete-rows.js'
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
export { fixedPace, noPace } from './pacing/fixed-pace.js'
export type { Pace, PaceContext, Pause } from './pacing/pace.js'
export type {
  Capabilities,
  Database,
  Dialect,
  Query,
  QueryResult,
  ReadContext,
  Session,
  TransactionOptions,
} from './databases/database.js'
export type { TableName } from './databases/identifier.js'
export type { Clock } from './clock.js'
export type { Logger } from './observe/logger.js'
export type { UpdaterEvents } from './observe/events.js'
export type { JsonObject, JsonValue } from './json.js'
export * from './errors.js'
export { HandlerConnectionError } from './batch/handler-connection.js'
export { ResultMissingError } from './batch/run-one-shot.js'
export { UpdaterStoppedError } from './run-to-completion.js'
export * from './updates/constraints/sqlite-rebuild/errors.js'
