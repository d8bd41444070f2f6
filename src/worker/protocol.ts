import type { UpdaterEvents } from '../observe/events.js'
import type { BackgroundUpdater } from '../updater.js'
import type { WireError } from './wire-error.js'

/** What of an updater can be asked from another thread: its arguments and results are data. */
export const METHODS = [
  'install',
  'checkInstallation',
  'start',
  'stop',
  'runNextBatch',
  'runToCompletion',
  'waitFor',
  'hasCompleted',
  'currentUpdate',
  'status',
  'databaseStatus',
  'performance',
  'history',
  'quarantined',
  'enqueue',
  'pause',
  'resume',
  'cancel',
  'retry',
  'set',
  'settings',
  'audit',
  'why',
  'disable',
  'enable',
] as const satisfies readonly (keyof BackgroundUpdater)[]

export type Method = (typeof METHODS)[number]

/** What the thread is made with. */
export interface ThreadData {
  /** URL of the module, as text. */
  readonly module: string
  readonly databaseName: string | undefined
  readonly data: unknown
}

/** To the thread. */
export type Request =
  | {
      readonly type: 'call'
      readonly id: number
      readonly method: Method
      readonly args: readonly unknown[]
      /** Which argument has a signal, that can't cross: an `abort` stands for it. */
      readonly signalAt: number | null
    }
  | { readonly type: 'abort'; readonly id: number; readonly reason: WireError }
  | { readonly type: 'close' }

/** From the thread. */
export type Answer =
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: WireError }
  /** The members of the event that are errors travel apart from the others. */
  | {
      readonly type: 'event'
      readonly name: keyof UpdaterEvents
      readonly event: object
      readonly errors: Readonly<Record<string, WireError>>
    }
  | { readonly type: 'closed' }
  /** No updater could be made of the module. */
  | { readonly type: 'failed'; readonly error: WireError }
