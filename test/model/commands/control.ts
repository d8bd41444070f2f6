import { expect } from 'vitest'
import { actOnDatabase, actOnModel, type Action } from '../actions.js'
import type { Model } from '../model.js'
import type { World } from '../world.js'
import { Command } from './command.js'
import { frozenUpdate } from './freezing.js'

/** Somebody gives an order: from outside, or through one of the runners. */
export class Order extends Command {
  readonly action: Action
  /** The runner, or null from outside. */
  readonly through: number | null

  constructor(action: Action, through: number | null) {
    super()
    this.action = action
    this.through = through
  }

  protected async happen(model: Model, world: World): Promise<void> {
    const runner = this.through === null ? null : world.runner(this.through)
    const name = runner && frozenUpdate(runner)
    // On SQLite a runner that is frozen in a session has no connection to spare.
    const able = runner !== null && (runner.hold === null || runner.hold.stage === 'prepare')
    const updater = able ? runner.updater : world.operator
    const token = able ? runner.model.held?.token : undefined
    const expected = actOnModel(model, this.action)
    expect(await actOnDatabase(world.ground, updater, this.action)).toBe(expected)
    // A runner that hears of a cancel gives its own batch up.
    const { action } = this
    if (token !== undefined && action.kind === 'cancel' && action.name === name && expected === null) {
      runner?.model.cancelled.add(token)
    }
  }

  toString() {
    return `${this.through === null ? 'somebody' : `runner ${this.through}`}: ${JSON.stringify(this.action)}`
  }
}
