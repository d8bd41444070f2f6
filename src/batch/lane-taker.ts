import type { Query } from '../databases/database.js'
import { classifyError, wantsSmallerBatch } from '../databases/error-class.js'
import type { JsonObject } from '../json.js'
import { LaneChangedError, type LaneRow } from '../queue/lane-store.js'
import type { Lease } from '../queue/lease.js'
import type { ClaimedState } from '../queue/batch-record.js'
import { parseProgress } from '../queue/row.js'
import { lanesWanted, settingsOf, type ResolvedSettings } from '../settings.js'
import type { Lanes, UpdateDefinition } from '../updates/definition.js'
import { limitedQuery, limitedTransaction, type Limited } from './limited-query.js'
import type { Surroundings } from './work.js'

export interface LaneTakerParts<Tx> {
  readonly around: Surroundings<Tx>
  readonly settings: ResolvedSettings
  readonly owner: string
  readonly newToken: () => string
  /** There are more lanes than before. */
  readonly onMoreLanes: () => void
}

/** A lane that was taken, with what its row remembers. */
export interface TakenLane {
  readonly lease: Lease
  readonly claimed: ClaimedState
}

// A lane that wasn't worth dividing isn't looked at again before.
const DIVIDE_AGAIN_MS = 1_000

/** Splits updates into lanes, takes lanes that nobody works on, and divides what is left of the slowest. */
export class LaneTaker<Tx> {
  readonly #parts: LaneTakerParts<Tx>
  // Until when, by the clock, no lane of an update was worth dividing.
  readonly #notBefore = new Map<string, number>()

  constructor(parts: LaneTakerParts<Tx>) {
    this.#parts = parts
  }

  /** Whether it may be worth trying to get a lane of an update although none is free. */
  mayDivide(updateName: string): boolean {
    return this.#parts.around.clock.nowMs() >= (this.#notBefore.get(updateName) ?? -Infinity)
  }

  /**
   * Splits what is left of an update that `lease` holds, when it is to have lanes and is big enough: then it isn't held
   * any more. False when it is better walked as one, or can't be split.
   *
   * @throws what shows that the database is away
   */
  async split(definition: UpdateDefinition<Tx, never>, lease: Lease, { tunerJson }: ClaimedState): Promise<boolean> {
    const { around, settings, onMoreLanes } = this.#parts
    const { database, store, log } = around
    const lanes = lanesOf(definition)
    const wanted = lanes === null ? 1 : lanesWanted(settings, definition.name, lanes.wanted)
    if (lanes === null || wanted < 2 || database.dialect !== 'postgres') return false
    try {
      const progress = parseProgress(definition.name, await store.fence(store.ask, lease))
      const limited = this.#limited(definition)
      const batchSize = limited.limits.defaultBatchSize
      const request = { updateName: definition.name, lanes: wanted, batchSize }
      const query = limitedQuery(limited)
      const split = await lanes.split({ query, dialect: database.dialect }, progress, request)
      if (split === null) return false
      const texts = { whole: JSON.stringify(split.whole), lanes: split.lanes.map((lane) => JSON.stringify(lane)) }
      await limitedTransaction(limited, (within) => store.lanes.split(within, lease, { ...texts, tunerJson }))
      log.info({ update: definition.name, lanes: split.lanes.length }, 'the walk was split into lanes')
      onMoreLanes()
      return true
    } catch (error) {
      if (classifyError(error) === 'connection') throw error
      // Its batch as one meets the same error, and counts it.
      log.warn({ update: definition.name, error }, 'the walk could not be split into lanes')
      return false
    }
  }

  /** A lane that nobody works on; when there is none, what is left of the slowest is divided. Null when that isn't worth it. */
  async take(definition: UpdateDefinition<Tx, never>): Promise<TakenLane | null> {
    const lanes = lanesOf(definition)
    // Who lost the race for a whole update on SQLite has nothing else to take.
    if (lanes === null || this.#parts.around.database.dialect !== 'postgres') return null
    const { name } = definition
    const free = await this.#claim(definition)
    if (free !== null) return free
    if (this.mayDivide(name) && (await this.#divide(definition, lanes))) {
      const added = await this.#claim(definition)
      if (added !== null) return added
    }
    this.#notBefore.set(name, this.#parts.around.clock.nowMs() + DIVIDE_AGAIN_MS)
    return null
  }

  async #claim({ name, fingerprint }: UpdateDefinition<Tx, never>): Promise<TakenLane | null> {
    const { around, owner, newToken } = this.#parts
    const lease: Lease = { updateName: name, owner, token: newToken(), lane: null }
    const claimed = await around.store.lanes.claim(lease, around.leaseMs, fingerprint ?? null)
    return claimed === null ? null : { lease: { ...lease, lane: claimed.lane }, claimed }
  }

  async #divide(definition: UpdateDefinition<Tx, never>, lanes: Lanes<Tx>): Promise<boolean> {
    const { name } = definition
    const { around, onMoreLanes } = this.#parts
    const { store, database, log } = around
    const limited = this.#limited(definition)
    const cut = async (query: Query): Promise<DividedLane | null> => {
      const slowest = slowestOf(await store.lanes.rows(name, query), lanes)
      if (slowest === null) return null
      const request = { updateName: name, batchSize: slowest.batchSize ?? limited.limits.defaultBatchSize }
      const lane = parseProgress(name, slowest.progressJson)
      const halves = await lanes.divide({ query, dialect: database.dialect }, lane, request)
      return halves === null ? null : { slowest, halves }
    }
    const divided = await this.#divideUnlocked(limited, cut)
      .catch(async (error: unknown) => {
        if (!(error instanceof LaneChangedError)) throw error
        // Its batches follow each other faster than it is cut: this time they wait for it, a few ms.
        return limitedTransaction(limited, async (query) => {
          const known = (await store.lanes.lockUpdate(query, name)) === null ? null : await cut(query)
          return known === null ? null : this.#save(query, known)
        })
      })
      .catch((error: unknown) => {
        // Somebody holds the table, or the update: who works on lanes has the same wait before him.
        if (!wantsSmallerBatch(classifyError(error))) throw error
        return null
      })
    if (divided === null) return false
    log.info({ update: name, lane: divided.slowest.lane }, 'what is left of a lane was divided')
    onMoreLanes()
    return true
  }

  async #divideUnlocked(
    limited: Limited<Tx>,
    cut: (query: Query) => Promise<DividedLane | null>,
  ): Promise<DividedLane | null> {
    const divided = await cut(limitedQuery(limited))
    return divided === null ? null : limitedTransaction(limited, (query) => this.#save(query, divided))
  }

  #limited(definition: UpdateDefinition<Tx, never>) {
    const { around, settings } = this.#parts
    return { database: around.database, updateName: definition.name, limits: settingsOf(settings, definition) }
  }

  async #save(query: Query, divided: DividedLane): Promise<DividedLane> {
    const [kept, added] = divided.halves
    await this.#parts.around.store.lanes.divide(query, divided.slowest, JSON.stringify(kept), JSON.stringify(added))
    return divided
  }
}

interface DividedLane {
  readonly slowest: LaneRow
  readonly halves: readonly [kept: JsonObject, added: JsonObject]
}

function lanesOf<Tx>(definition: UpdateDefinition<Tx, never>): Lanes<Tx> | null {
  return definition.oneShot ? null : (definition.lanes ?? null)
}

// One that nobody holds backs off: what fails there would fail in its other half as well.
function slowestOf<Tx>(rows: readonly LaneRow[], lanes: Lanes<Tx>): LaneRow | null {
  const left = rows
    .filter(({ finished, owner }) => !finished && owner !== null)
    .map((row) => ({ row, rows: lanes.rowsLeft(parseProgress(row.updateName, row.progressJson)) }))
  const slowest = left.toSorted((a, b) => b.rows - a.rows)[0]
  return slowest?.row ?? null
}
