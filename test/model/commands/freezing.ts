import type { BatchEnd, Stage } from '../batch-steps.js'
import { expect } from 'vitest'
import { gate } from '../../engine/support.js'
import { batchSteps } from '../batch-steps.js'
import { ONE_SHOT, type Behaviour } from '../cast.js'
import type { Model } from '../model.js'
import type { Hold, Runner, World } from '../world.js'
import { runNext } from './batches.js'
import { Command, RunnerCommand } from './command.js'

interface Frozen {
  readonly name: string | null
  readonly steps: Generator<Stage, BatchEnd, undefined>
  readonly batch: ReturnType<typeof runNext>
}

const frozen = new WeakMap<Runner, Frozen>()

/** The update whose batch a frozen runner holds. */
export function frozenUpdate(runner: Runner): string | null {
  return frozen.get(runner)?.name ?? null
}

/** A runner is frozen in the middle of a batch: SIGSTOP, a paused machine, a handler that waits. */
export class Freeze extends RunnerCommand {
  readonly stage: Hold
  readonly behaviour: Behaviour

  constructor(index: number, stage: Hold, behaviour: Behaviour) {
    super(index)
    this.stage = stage
    this.behaviour = behaviour
  }

  protected async act(model: Model, world: World, runner: Runner): Promise<void> {
    const { behaviour, stage } = this
    const steps = batchSteps(model, runner.model, behaviour)
    let step = steps.next()
    while (step.done !== true && step.value !== stage) step = steps.next()
    const name = runner.model.held?.name ?? null
    // SQLite has one writer: a batch that is frozen in its transaction would stop the whole world.
    const holdable = stage === 'prepare' || name === ONE_SHOT || world.ground.dialect === 'postgres'
    runner.behaviour = behaviour
    if (step.done === true || !holdable) {
      while (step.done !== true) step = steps.next()
      expect(await runNext(runner)).toMatchObject(step.value)
      return
    }
    runner.hold = { stage, reached: gate(), thaw: gate() }
    const batch = runNext(runner)
    await Promise.race([runner.hold.reached.opened, batch])
    frozen.set(runner, { name, steps, batch })
  }

  toString() {
    return `runner ${this.index} is frozen in ${this.stage} of a batch that ${this.behaviour}`
  }
}

/** A frozen runner wakes up and goes on, whatever has happened meanwhile. */
export class Thaw extends Command {
  readonly index: number

  constructor(index: number) {
    super()
    this.index = index
  }

  protected async happen(_model: Model, world: World): Promise<void> {
    const runner = world.runner(this.index)
    const held = frozen.get(runner)
    if (held === undefined) return
    let step = held.steps.next()
    while (step.done !== true) step = held.steps.next()
    await endHold(runner)
    expect(await held.batch).toMatchObject(step.value)
  }

  toString() {
    return `runner ${this.index} wakes up`
  }
}

/** A frozen runner never wakes up. */
export class DieFrozen extends Command {
  readonly index: number

  constructor(index: number) {
    super()
    this.index = index
  }

  protected async happen(_model: Model, world: World): Promise<void> {
    const runner = world.runner(this.index)
    const held = frozen.get(runner)
    if (held === undefined) return
    runner.database.kill()
    const calls = world.calls
    const now = world.now
    await endHold(runner)
    await expect(held.batch).rejects.toThrow('the connection is gone')
    // It was in the middle of a handler: what it did after its death is nobody's.
    world.calls = calls
    expect(world.now).toBe(now)
    world.replace(this.index)
  }

  toString() {
    return `runner ${this.index} dies frozen`
  }
}

async function endHold(runner: Runner): Promise<void> {
  runner.hold?.thaw.open()
  runner.hold = null
  frozen.delete(runner)
}
