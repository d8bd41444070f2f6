import type { ReadContext } from '../../databases/database.js'
import { StalePlanError } from '../../keyset/order-stamp.js'
import type { BatchResult } from '../definition.js'

/** The part of a batch's context that the cache uses. */
export interface ConnectionContext extends ReadContext {
  readonly tx: unknown
}

/**
 * Remembers what was read from the catalogue, for each connection: a connection belongs to one database for good, which
 * a database's name doesn't. A driver that makes a new object for every transaction reads it with every batch.
 */
export class ConnectionCache<Value> {
  readonly #load: (context: ReadContext) => Promise<Value>
  // Invariant: holds only what was loaded after the last failure, so that a change of the schema mends itself.
  #known = new WeakMap<object, Value>()

  constructor(load: (context: ReadContext) => Promise<Value>) {
    this.#load = load
  }

  /**
   * Runs a batch with the value. When it fails, everything known is forgotten. `fresh` reads it anew, and so does a batch
   * that finds out, before it has done anything, that the value is of an earlier schema: then it is run again. What the
   * reading took is the batch's overhead.
   */
  async use<Progress>(
    context: ConnectionContext,
    fresh: boolean,
    batch: (value: Value) => Promise<BatchResult<Progress>>,
  ): Promise<BatchResult<Progress>> {
    try {
      return await this.#tryUse(context, fresh, batch)
    } catch (error) {
      this.forget()
      throw error
    }
  }

  forget(): void {
    this.#known = new WeakMap()
  }

  async #tryUse<Progress>(
    context: ConnectionContext,
    fresh: boolean,
    batch: (value: Value) => Promise<BatchResult<Progress>>,
  ): Promise<BatchResult<Progress>> {
    const known = fresh ? undefined : this.#known.get(connectionOf(context))
    try {
      return await (known === undefined ? this.#loadAndUse(context, batch) : batch(known))
    } catch (error) {
      if (!(error instanceof StalePlanError)) throw error
      return await this.#loadAndUse(context, batch)
    }
  }

  async #loadAndUse<Progress>(
    context: ConnectionContext,
    batch: (value: Value) => Promise<BatchResult<Progress>>,
  ): Promise<BatchResult<Progress>> {
    const startedMs = performance.now()
    const value = await this.#load(context)
    this.#known.set(connectionOf(context), value)
    const loadMs = performance.now() - startedMs
    const result = await batch(value)
    return { ...result, overheadMs: (result.overheadMs ?? 0) + loadMs }
  }
}

function connectionOf(context: ConnectionContext): object {
  const { tx } = context
  return typeof tx === 'object' && tx !== null ? tx : context
}
