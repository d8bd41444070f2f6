import type { Model } from '../model.js'
import type { World } from '../world.js'
import { Command } from './command.js'

/** Time passes for the database and for everybody, but never to within two milliseconds of a back-off's end. */
export async function passTime(world: World, model: Model, ms: number): Promise<void> {
  const isClose = (at: number) => Math.abs(at - model.now) <= 2
  const ends = () => [...model.rows.values()].flatMap((row) => row.retryAt?.high ?? [])
  let passed = ms
  model.now += ms
  // The clocks of a runner and of the database round differently.
  for (; ends().some(isClose); passed += 5) model.now += 5
  await world.pass(passed)
}

export class PassTime extends Command {
  readonly ms: number

  constructor(ms: number) {
    super()
    this.ms = ms
  }

  protected happen(model: Model, world: World): Promise<void> {
    return passTime(world, model, this.ms)
  }

  toString() {
    return `${this.ms} ms pass`
  }
}
