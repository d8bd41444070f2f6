import type { ClaimedState } from '../queue/batch-record.js'
import type { Lease } from '../queue/lease.js'
import type { UpdateDefinition } from '../updates/definition.js'
import type { LaneTaker, TakenLane } from './lane-taker.js'
import type { Surroundings, Work } from './work.js'

export interface LeaseHolderParts<Tx> {
  readonly around: Surroundings<Tx>
  readonly owner: string
  readonly newToken: () => string
  /** Takes lanes of split updates only. */
  readonly lanesOnly: boolean
}

/** A lease of ours, and what its batches remember from one to the next. */
export interface Held {
  readonly lease: Lease
  readonly claimed: ClaimedState
  /** Null before the first batch under this lease. */
  work: Work | null
}

/** Holds the lease of one update, or of one of its lanes: that of the batch that ran last. */
export class LeaseHolder<Tx> {
  readonly #parts: LeaseHolderParts<Tx>
  readonly #lanes: LaneTaker<Tx>
  // Invariant: it is released before another is claimed.
  #held: Held | null = null
  // A lane that was lost together with the connection: its lease is still there, and nobody has its token but we.
  #abandoned: Lease | null = null
  #lastRenewal: Promise<void> = Promise.resolve()

  constructor(parts: LeaseHolderParts<Tx>, lanes: LaneTaker<Tx>) {
    this.#parts = parts
    this.#lanes = lanes
  }

  get lease(): Lease | null {
    return this.#held?.lease ?? null
  }

  /**
   * The lease of an update, which may be held already (`isNew` false); null when somebody else has it.
   *
   * @throws what shows that the database is away
   */
  async take(definition: UpdateDefinition<Tx, never>): Promise<{ held: Held; isNew: boolean } | null> {
    if (this.#held?.lease.updateName === definition.name) return { held: this.#held, isNew: false }
    await this.release()
    await this.#giveUpAbandoned()
    const taken =
      (this.#parts.lanesOnly ? null : await this.#takeWhole(definition)) ?? (await this.#lanes.take(definition))
    if (taken === null) return null
    this.#held = { ...taken, work: null }
    return { held: this.#held, isNew: true }
  }

  /** Gives the lease back; errors don't matter, for it runs out by itself. */
  async release(): Promise<void> {
    const held = this.#held
    this.#held = null
    await this.#lastRenewal
    if (held) await this.#parts.around.store.release(held.lease).catch(() => {})
  }

  /** The lease has ended, or isn't ours any more. */
  forget(): void {
    this.#held = null
  }

  /** The database is away, so what was remembered may be of a batch that wasn't committed: the row is read anew. */
  abandon(lease: Lease): void {
    if (lease.lane !== null) this.#abandoned = lease
    this.#held = null
  }

  /** Somebody renews the lease until `end` settles; who releases it wants nothing left running. */
  renewedUntil(end: Promise<void>): void {
    this.#lastRenewal = end
  }

  // Null when somebody else holds it, or when it was split, just now or before.
  async #takeWhole(definition: UpdateDefinition<Tx, never>): Promise<TakenLane | null> {
    const { around, owner, newToken } = this.#parts
    const lease: Lease = { updateName: definition.name, owner, token: newToken(), lane: null }
    const claimed = await around.store.claim(lease, around.leaseMs, definition.fingerprint ?? null)
    if (claimed === null || (await this.#lanes.split(definition, lease, claimed))) return null
    return { lease, claimed }
  }

  async #giveUpAbandoned(): Promise<void> {
    if (this.#abandoned === null) return
    await this.#parts.around.store.release(this.#abandoned)
    this.#abandoned = null
  }
}
