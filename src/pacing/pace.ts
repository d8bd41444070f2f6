/** What a pace knows when it decides. */
export interface PaceContext {
  readonly updateName: string
}

/** How long to wait before the next batch, and why. Pure: the run loop does the waiting. */
export interface Pause {
  /** In ms; 0 starts the batch at once. */
  readonly ms: number
  /** For people: why it waits. */
  readonly why: string
}

/** Decides when the next batch may start. */
export interface Pace {
  beforeBatch(context: PaceContext): Pause
}
