/** The status of an updater: a number for metrics, a name for people. */
export const UpdaterStatus = {
  /** Strict mode gave up, or nothing can run and at least one update needs a person. */
  ABORTED: -1,
  /** Switched off, by `disable()`. */
  DISABLED: 0,
  /** There is work, and nobody runs it. */
  NOT_STARTED: 1,
  RUNNING_UPDATE: 2,
  /** The queue is empty. */
  COMPLETE: 3,
} as const

export type UpdaterStatusName = keyof typeof UpdaterStatus
export type UpdaterStatusCode = (typeof UpdaterStatus)[UpdaterStatusName]
