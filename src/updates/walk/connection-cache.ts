import type { ReadContext } from '../../databases/database.js'
import { StalePlanError } from '../../keyset/order-stamp.js'

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
   * Runs `work` with the value. When it fails, everything known is forgotten. `fresh` reads it anew, and so does work
   * that finds out, before it has done anything, that the value is of an earlier schema: then it is run again.
   */
  async use<Result>(
    context: ConnectionContext,
    fresh: boolean,
    work: (value: Value) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await this.#tryUse(context, fresh, work)
    } catch (error) {
      this.forget()
      throw error
    }
  }

  forget(): void {
    this.#known = new WeakMap()
  }

  async #tryUse<Result>(
    context: ConnectionContext,
    fresh: boolean,
    work: (value: Value) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work(await this.#get(context, fresh))
    } catch (error) {
      if (!(error instanceof StalePlanError)) throw error
      return await work(await this.#get(context, true))
    }
  }

  async #get(context: ConnectionContext, fresh: boolean): Promise<Value> {
    const { tx } = context
    const connection = typeof tx === 'object' && tx !== null ? tx : context
    const known = fresh ? undefined : this.#known.get(connection)
    if (known !== undefined) return known
    const value = await this.#load(context)
    this.#known.set(connection, value)
    return value
  }
}
