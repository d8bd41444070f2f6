import type { Statement } from '../databases/database.js'
import { InvalidBatchResultError } from '../errors.js'
import { describe } from '../options.js'
import type { StatementSample } from '../pacing/statement-size.js'

/** What a handler returned, checked: nothing that it returns is trusted. */
export interface CheckedResult {
  readonly items: number
  /** Undefined keeps the saved progress. */
  readonly progress: unknown
  readonly done: boolean
  readonly tune: boolean
  readonly overheadMs: number
  readonly ahead: ((batchSize: number, statementSize: number) => Statement | null) | undefined
  readonly statement: StatementSample | undefined
}

export function checkBatchResult(updateName: string, result: unknown): CheckedResult {
  const fields = asObject(updateName, result)
  if (typeof fields.items !== 'number' || !Number.isSafeInteger(fields.items) || fields.items < 0) {
    throw new InvalidBatchResultError(
      updateName,
      `items ${describe(fields.items)}, which is not a whole number of at least 0`,
    )
  }
  return {
    items: fields.items,
    progress: fields.progress ?? undefined,
    done: flag(updateName, 'done', fields.done, false),
    tune: flag(updateName, 'tune', fields.tune, true),
    overheadMs: isDuration(fields.overheadMs) ? fields.overheadMs : 0,
    ahead: typeof fields.ahead === 'function' ? (fields.ahead as CheckedResult['ahead']) : undefined,
    statement: statementOf(fields.statement),
  }
}

const NOTHING_ELSE = { overheadMs: 0, ahead: undefined, statement: undefined }

// It is a hint, as the overhead is: one that makes no sense is none.
function statementOf(value: unknown): StatementSample | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { items, durationMs, serverMs } = value as Partial<Record<keyof StatementSample, unknown>>
  if (!Number.isSafeInteger(items) || Number(items) <= 0 || !isDuration(durationMs)) return undefined
  return { items: Number(items), durationMs, ...(isDuration(serverMs) ? { serverMs } : {}) }
}

function isDuration(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

/** A one-shot may return nothing at all: it is done. */
export function checkOneShotResult(updateName: string, result: unknown): CheckedResult {
  if (result === undefined) return { ...NOTHING_ELSE, items: 0, progress: undefined, done: true, tune: false }
  const fields = asObject(updateName, result)
  const checked = checkBatchResult(updateName, { ...fields, items: fields.items ?? 0 })
  return { ...checked, done: flag(updateName, 'done', fields.done, true), tune: false }
}

function asObject(updateName: string, result: unknown): Record<string, unknown> {
  if (typeof result === 'object' && result !== null && !Array.isArray(result)) return result as Record<string, unknown>
  throw new InvalidBatchResultError(updateName, `${describe(result)} instead of an object`)
}

function flag(updateName: string, name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value === 'boolean') return value
  throw new InvalidBatchResultError(updateName, `${name} ${describe(value)}, which is neither true nor false`)
}
