import { batchSteps, releaseHeld, type BatchEnd } from '../batch-steps.js'
import type { Behaviour } from '../cast.js'
import type { Model } from '../model.js'
import { ConnectionGone } from '../mortal-database.js'
import { adopt, cutShort, type Play } from '../worlds.js'
import type { Runner, World } from '../world.js'
import { runNext } from './batches.js'
import { RunnerCommand } from './command.js'

/** A runner dies, or loses its connection, before or after some statement of a batch. */
export class Die extends RunnerCommand {
  readonly behaviour: Behaviour
  readonly point: number
  readonly how: 'dies' | 'loses its connection'

  constructor(index: number, behaviour: Behaviour, point: number, how: Die['how']) {
    super(index)
    this.behaviour = behaviour
    this.point = point
    this.how = how
  }

  protected async act(model: Model, world: World, runner: Runner): Promise<void> {
    const { behaviour, point } = this
    // How many failures a runner that goes on has counted for strict mode can't be told afterwards.
    const how = world.setup.strict ? 'dies' : this.how
    runner.behaviour = behaviour
    runner.database.arm({
      at: point,
      run: () => {
        if (how === 'dies') runner.database.kill()
        throw new ConnectionGone()
      },
    })
    await runNext(runner).catch((error: unknown) => {
      if (!isGone(error)) throw error
    })
    const happened = runner.database.disarm()
    const play: Play<BatchEnd> = (...given) => batchSteps(...given, behaviour)
    const possibilities = cutShort(model, runner.model, play)
    // One that goes on gives back what it holds.
    const givenBack = cutShort(model, runner.model, play).map((possibility) => {
      releaseHeld(possibility.model, possibility.runner)
      return possibility
    })
    const whole = happened ? [...possibilities, ...(how === 'dies' ? [] : givenBack)] : possibilities.slice(-1)
    await adopt(world, model, runner, whole, () => true)
    runner.model.held = null
    // Which statement of the handler was its last can't be told.
    model.calls = world.calls
    if (runner.database.dead) world.replace(this.index)
  }

  toString() {
    return `runner ${this.index} ${this.how} at ${this.point} of a batch that ${this.behaviour}`
  }
}

function isGone(error: unknown): boolean {
  return error instanceof ConnectionGone
}

/** A runner is stopped by a deploy, and another takes its place. */
export class Restart extends RunnerCommand {
  protected async act(_model: Model, world: World, runner: Runner): Promise<void> {
    await runner.updater.stop()
    world.replace(this.index)
  }

  toString() {
    return `runner ${this.index} is replaced by a new one`
  }
}
