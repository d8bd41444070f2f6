/** The right to run one update, as the row holds it. The token fences: a batch commits only while the row has it. */
export interface Lease {
  readonly updateName: string
  readonly owner: string
  readonly token: string
  /** The lane that is held, when the update's walk was split; null holds the update itself. */
  readonly lane: number | null
}
