import type { Database, Query } from 'evenkeel'

/** A connection that is gone, as drivers tell of it. */
export class ConnectionGone extends Error {
  readonly code = 'ECONNRESET'

  constructor() {
    super('the connection is gone')
  }
}

/** What is to happen before or after a statement. */
export interface Plan {
  /** Which point; the first is 0. Statements, BEGIN and COMMIT have one before and one after each. */
  readonly at: number
  /** Counts only points at which no transaction is open. */
  readonly outsideOnly?: boolean
  /** What throws is what the caller of the statement gets. */
  readonly run: () => Promise<void> | void
}

/** A database whose process can die, or lose its connection, at any point. Everything that commits is real. */
export class MortalDatabase implements Database<never> {
  readonly #real: Database<never>
  #dead = false
  #plan: Plan | null = null
  #passed = 0
  #open = 0

  constructor(real: Database<never>) {
    this.#real = real
    const pipelined = real.pipelinedTransaction?.bind(real)
    if (!pipelined) return
    this.pipelinedTransaction = (opening, fn, options) =>
      this.#transaction((within) =>
        pipelined(opening, (tx, opened) => within(tx, (own) => fn(own as never, opened)), options),
      )
  }

  get dialect() {
    return this.#real.dialect
  }

  get capabilities() {
    return this.#real.capabilities
  }

  get dead(): boolean {
    return this.#dead
  }

  /** Nothing that this process does reaches the database from now on. */
  kill(): void {
    this.#dead = true
  }

  arm(plan: Plan): void {
    this.#plan = plan
    this.#passed = 0
  }

  /** True when the plan was carried out. */
  disarm(): boolean {
    const done = this.#plan === null
    this.#plan = null
    return done
  }

  readonly pipelinedTransaction: Database<never>['pipelinedTransaction']

  transaction: Database<never>['transaction'] = (fn, options) =>
    this.#transaction((within) => this.#real.transaction((tx) => within(tx, (own) => fn(own as never)), options))

  session: Database<never>['session'] = async (fn, options) =>
    this.#real.session((session) => {
      const connection = new Connection()
      const query: Query = async (text, values) => {
        await connection.guard(() => this.#point())
        const result = await session.query(text, values)
        await connection.guard(() => this.#point())
        return result as never
      }
      return fn({ ...session, query })
    }, options)

  query: Database<never>['query'] = async (given, text, values) => {
    const { tx, connection } = given as Wrapped
    await connection.guard(() => this.#point())
    const result = await this.#real.query(tx, text, values)
    await connection.guard(() => this.#point())
    return result as never
  }

  async close(): Promise<void> {}

  async #transaction<T>(run: (within: Within) => Promise<T>): Promise<T> {
    await this.#point()
    const connection = new Connection()
    this.#open += 1
    try {
      return await run(async (tx, work) => {
        await connection.guard(() => this.#point())
        const result = await work({ tx, connection })
        await connection.guard(() => this.#point())
        return result
      })
    } finally {
      this.#open -= 1
      // The transaction has ended, whatever its caller hears of it.
      await this.#point()
    }
  }

  async #point(): Promise<void> {
    if (this.#dead) throw new ConnectionGone()
    const plan = this.#plan
    if (plan === null || (plan.outsideOnly === true && this.#open > 0)) return
    if (this.#passed === plan.at) {
      this.#plan = null
      await plan.run()
    }
    this.#passed += 1
  }
}

/** What happens between BEGIN and COMMIT. */
type Within = <Result>(tx: never, work: (own: Wrapped) => Promise<Result>) => Promise<Result>

interface Wrapped {
  readonly tx: never
  readonly connection: Connection
}

/** One that is gone stays gone. */
class Connection {
  #gone: Error | null = null

  async guard(point: () => Promise<void>): Promise<void> {
    if (this.#gone) throw this.#gone
    try {
      await point()
    } catch (error) {
      this.#gone = error as Error
      throw error
    }
  }
}
