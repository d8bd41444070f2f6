import type { AsyncCommand } from 'fast-check'
import type { Model } from '../model.js'
import { compare } from '../snapshot.js'
import type { Runner, World } from '../world.js'

let executed = 0

/** Commands that were run so far, over all runs. */
export function commandsRun(): number {
  return executed
}

/** One thing that happens; afterwards the database must be as the model says. */
export abstract class Command implements AsyncCommand<Model, World> {
  check(_model: Readonly<Model>): boolean {
    return true
  }

  async run(model: Model, world: World): Promise<void> {
    executed += 1
    await this.happen(model, world)
    await compare(world, model)
  }

  protected abstract happen(model: Model, world: World): Promise<void>

  abstract toString(): string
}

/** One thing that a runner does that isn't frozen; nothing when it is. */
export abstract class RunnerCommand extends Command {
  readonly index: number

  constructor(index: number) {
    super()
    this.index = index
  }

  protected async happen(model: Model, world: World): Promise<void> {
    const runner = world.runner(this.index)
    if (runner.hold === null) await this.act(model, world, runner)
  }

  protected abstract act(model: Model, world: World, runner: Runner): Promise<void>
}
