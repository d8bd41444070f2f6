import {
  AlreadyQueuedError,
  EvenkeelError,
  InvalidQueueRowError,
  NotQueuedError,
  type BackgroundUpdater,
} from 'evenkeel'
import { DEFAULTS } from './cast.js'
import { endRow, newRow, progressObject, type Model, type ModelRow } from './model.js'
import type { Ground } from './ground.js'

/** What people, deploys and migrations do to the queue. */
export type Action =
  | { readonly kind: 'enqueue'; readonly name: string; readonly options: EnqueueFields }
  | { readonly kind: 'insert'; readonly name: string; readonly row: RawFields }
  | { readonly kind: 'pause' | 'resume' | 'cancel' | 'retry' | 'retry quarantined'; readonly name: string }
  | { readonly kind: 'disable' | 'enable' }
  | { readonly kind: 'edit progress'; readonly name: string; readonly progress: string }
  | { readonly kind: 'half a lease'; readonly name: string }

interface EnqueueFields {
  readonly dependsOn?: readonly string[]
  readonly ordering?: number
  readonly ifExists?: 'error' | 'ignore'
  readonly progress?: { readonly step: number }
}

/** What a migration writes; nothing at all is a complete row. */
interface RawFields {
  readonly progress?: string
  readonly dependsOn?: string
  readonly ordering?: number
}

/** Does it to the model. The code of the error that it is refused with, or null. */
export function actOnModel(model: Model, action: Action): string | null {
  if (!('name' in action)) {
    model.disabled = action.kind === 'disable'
    return null
  }
  const { name } = action
  const row = model.rows.get(name)
  switch (action.kind) {
    case 'enqueue': {
      const { dependsOn, ordering, ifExists, progress } = { ...DEFAULTS[name], ...action.options }
      if (row) return ifExists === 'ignore' ? null : ALREADY_QUEUED
      model.rows.set(
        name,
        newRow(name, { dependsOn: dependsOn ?? [], ordering: ordering ?? 0, progress: JSON.stringify(progress ?? {}) }),
      )
      return null
    }
    case 'insert': {
      if (row) return 'UNIQUE'
      const { progress, dependsOn = '', ordering } = action.row
      const names = dependsOn.split(',').flatMap((part) => part.trim() || [])
      model.rows.set(name, newRow(name, { dependsOn: names, ordering: ordering ?? 0, progress: progress ?? '{}' }))
      return null
    }
    case 'retry quarantined': {
      const ended = model.history.findLast((entry) => entry.name === name && entry.outcome === 'completed')
      const text = row?.progress ?? ended?.progress
      if (text === undefined) return NOT_QUEUED
      const progress = progressObject(text)
      if (progress === null) return INVALID_ROW
      const again = JSON.stringify({ ...progress, retryQuarantined: true })
      if (!row) {
        model.rows.set(name, newRow(name, { progress: again, ordering: DEFAULTS[name]?.ordering ?? 0 }))
        return null
      }
      row.progress = again
      // A batch that began from the old one must not save over it.
      row.lease = null
      return actOnModel(model, { kind: 'retry', name })
    }
    case 'edit progress':
      if (row) row.progress = action.progress
      return null
    case 'half a lease':
      if (row) row.lease = { owner: null, token: 'half', until: null }
      return null
    case 'pause':
    case 'resume':
    case 'cancel':
    case 'retry':
      return row ? order(model, row, action.kind) : NOT_QUEUED
  }
}

/** What is done to a row that is there. */
function order(model: Model, row: ModelRow, kind: 'pause' | 'resume' | 'cancel' | 'retry'): null {
  switch (kind) {
    case 'pause':
      if (row.state === 'failed') return null
      row.state = 'paused'
      row.stateBy = 'anna'
      return null
    case 'resume':
      if (row.state !== 'paused') return null
      row.state = 'queued'
      row.stateBy = null
      return null
    case 'cancel':
      endRow(model, row, 'cancelled')
      return null
    case 'retry':
      if (row.state === 'failed') row.state = 'queued'
      Object.assign(row, { attempts: 0, outcomes: '', lastError: null, retryAt: null })
      return null
  }
}

const NOT_QUEUED = new NotQueuedError('').code
const ALREADY_QUEUED = new AlreadyQueuedError('').code
const INVALID_ROW = new InvalidQueueRowError('', '').code

/** Does it to the real queue. */
export async function actOnDatabase(
  ground: Ground,
  updater: BackgroundUpdater<never>,
  action: Action,
): Promise<string | null> {
  try {
    await act(ground, updater, action)
    return null
  } catch (error) {
    if (error instanceof EvenkeelError) return error.code
    const { code } = error as { code?: unknown }
    if (code === '23505' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') return 'UNIQUE'
    throw error
  }
}

async function act(ground: Ground, updater: BackgroundUpdater<never>, action: Action): Promise<void> {
  switch (action.kind) {
    case 'enqueue':
      await updater.enqueue(action.name, action.options)
      return
    case 'insert': {
      const { progress, dependsOn, ordering } = action.row
      const columns = Object.entries({ progress_json: progress, depends_on: dependsOn, ordering }).filter(
        ([, value]) => value !== undefined,
      )
      const placeholders = columns.map((_, index) => `, $${index + 2}`).join('')
      await ground.query(
        `INSERT INTO background_updates (update_name${columns.map(([name]) => `, ${name}`).join('')})
         VALUES ($1${placeholders})`,
        [action.name, ...columns.map(([, value]) => value)],
      )
      return
    }
    case 'edit progress':
      await ground.query('UPDATE background_updates SET progress_json = $2 WHERE update_name = $1', [
        action.name,
        action.progress,
      ])
      return
    case 'half a lease':
      await ground.query(
        `UPDATE background_updates
         SET lease_token = 'half', lease_owner = NULL, lease_expires_at = NULL
         WHERE update_name = $1`,
        [action.name],
      )
      return
    case 'pause':
      return updater.pause(action.name, { by: 'anna' })
    case 'resume':
      return updater.resume(action.name)
    case 'cancel':
      return updater.cancel(action.name)
    case 'retry':
      return updater.retry(action.name)
    case 'retry quarantined':
      return updater.retry(action.name, { quarantined: true })
    case 'disable':
      return updater.disable()
    case 'enable':
      return updater.enable()
  }
}
