/** What a claimed row, that of an update or of a lane, remembers for its next runner. */
export interface ClaimedState {
  readonly tunerJson: string | null
  readonly statisticsJson: string | null
  /** Of the definition that its progress belongs to. */
  readonly fingerprint: string | null
  /** Batches of the update that were committed. */
  readonly batches: number
}

/** What a committed batch writes into its row, that of its update or of its lane. */
export interface BatchRecord {
  readonly progressJson: string
  readonly items: number
  readonly busyMs: number
  readonly batchSize: number | null
  readonly tunerJson: string | null
  readonly statisticsJson: string
  /** Why batches are kept apart now; null when they aren't. */
  readonly waitingText: string | null
}
