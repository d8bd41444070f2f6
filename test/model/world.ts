import { BackgroundUpdater, noPace } from 'evenkeel'
import { fakeClock, type FakeClock } from 'evenkeel/testing'
import { memoryLogger, type gate } from '../engine/support.js'
import { HANDLED, LEASE_MS, newModelRunner, RUNNERS, type Behaviour, type ModelRunner, type Setup } from './cast.js'
import type { Ground } from './ground.js'
import { definitions } from './handlers.js'
import { emptyModel, type Model } from './model.js'
import { MortalDatabase } from './mortal-database.js'

/** Where a handler can be held: between two statements of its batch. */
export type Hold = 'prepare' | 'handler'

/** One runner: a process of its own, as far as the database can tell. */
export interface Runner {
  readonly index: number
  readonly model: ModelRunner
  readonly database: MortalDatabase
  readonly updater: BackgroundUpdater<never>
  readonly clock: FakeClock
  /** What its handlers do. */
  behaviour: Behaviour
  hold: { readonly stage: Hold; readonly reached: Gate; readonly thaw: Gate } | null
}

type Gate = ReturnType<typeof gate>

const START = Date.UTC(2030, 0, 1)

/** The real thing: one database, several runners, and somebody who gives orders from outside. */
export class World {
  readonly ground: Ground
  readonly setup: Setup
  readonly runners: Runner[] = []
  readonly operator: BackgroundUpdater<never>
  /** How often a handler was called. */
  calls = 0
  now = START
  #processes = 0

  private constructor(ground: Ground, setup: Setup) {
    this.ground = ground
    this.setup = setup
    this.operator = new BackgroundUpdater<never>({
      database: this.#databaseOf(RUNNERS.length),
      updates: definitions(this, null, HANDLED),
      logger: memoryLogger(),
    })
    for (const index of RUNNERS) this.runners.push(this.#spawn(index))
  }

  /** A world whose queue is empty, with the model of it. */
  static async create(ground: Ground, setup: Setup): Promise<{ real: World; model: Model }> {
    for (const table of ['background_updates', 'background_update_history', 'background_update_settings', 'traces']) {
      await ground.query(`DELETE FROM ${table}`)
    }
    const world = new World(ground, setup)
    await ground.setClock(world.now)
    return { real: world, model: emptyModel(world.now) }
  }

  static async install(ground: Ground): Promise<void> {
    await new BackgroundUpdater({ database: ground.databases[0] as never }).install()
    await ground.query('CREATE TABLE traces (name TEXT NOT NULL)')
  }

  runner(index: number): Runner {
    const runner = this.runners[index]
    if (runner === undefined) throw new Error(`There is no runner ${index}`)
    return runner
  }

  /** Time passes for everybody. */
  async pass(ms: number): Promise<void> {
    this.now += ms
    await this.ground.setClock(this.now)
    for (const { clock } of this.runners) clock.advance(ms)
  }

  /** Another process takes the place of one that has ended. */
  replace(index: number): void {
    this.runners[index] = this.#spawn(index)
  }

  /** Nothing of it is left running. */
  async end(): Promise<void> {
    for (const { database, hold, updater } of this.runners) {
      database.kill()
      hold?.thaw.open()
      await updater.stop({ graceMs: 0 })
    }
  }

  #spawn(index: number): Runner {
    this.#processes += 1
    const owner = `host:${this.#processes}`
    const handlers = this.setup.handlers[index] ?? []
    const database = new MortalDatabase(this.#databaseOf(index))
    const clock = fakeClock()
    const runner: Omit<Runner, 'updater'> = {
      index,
      model: newModelRunner(owner, handlers, this.setup),
      database,
      clock,
      behaviour: 'walks',
      hold: null,
    }
    const updater = new BackgroundUpdater<never>({
      database,
      updates: definitions(this, runner, handlers),
      owner,
      clock,
      leaseMs: LEASE_MS,
      pace: noPace(),
      maxAttempts: this.setup.maxAttempts,
      onFailure: this.setup.strict ? 'abort' : 'isolate',
      logger: memoryLogger(),
    })
    return Object.assign(runner, { updater })
  }

  #databaseOf(index: number) {
    const database = this.ground.databases[index]
    if (database === undefined) throw new Error(`There is no connection ${index}`)
    return database
  }
}
