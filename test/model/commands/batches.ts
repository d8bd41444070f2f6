import { EvenkeelError } from 'evenkeel'
import { expect } from 'vitest'
import { actOnDatabase, actOnModel, type Action } from '../actions.js'
import { batchSteps, type BatchEnd } from '../batch-steps.js'
import type { Behaviour } from '../cast.js'
import type { Model } from '../model.js'
import { compare } from '../snapshot.js'
import { adopt, between, playBatch } from '../worlds.js'
import type { Runner, World } from '../world.js'
import { RunnerCommand } from './command.js'
import { passTime } from './time.js'

/** `runNextBatch()`, as the model tells of it. */
export async function runNext({ updater }: Runner): Promise<BatchEnd & { readonly complete?: boolean }> {
  try {
    return await updater.runNextBatch()
  } catch (error) {
    if (error instanceof EvenkeelError && error.code === 'UPDATER_ABORTED') return { aborts: true }
    throw error
  }
}

export class RunBatch extends RunnerCommand {
  readonly behaviour: Behaviour

  constructor(index: number, behaviour: Behaviour) {
    super(index)
    this.behaviour = behaviour
  }

  protected async act(model: Model, _world: World, runner: Runner): Promise<void> {
    const expected = playBatch(model, runner.model, this.behaviour)
    runner.behaviour = this.behaviour
    expect(await runNext(runner)).toEqual(
      'aborts' in expected ? expected : { ...expected, complete: model.rows.size === 0 },
    )
  }

  toString() {
    return `runner ${this.index} runs a batch that ${this.behaviour}`
  }
}

/** Many batches one after the other, each when back-offs have passed: what only a long history brings about. */
export class RunBatches extends RunnerCommand {
  readonly behaviours: readonly Behaviour[]

  constructor(index: number, behaviours: readonly Behaviour[]) {
    super(index)
    this.behaviours = behaviours
  }

  protected async act(model: Model, world: World, runner: Runner): Promise<void> {
    for (const behaviour of this.behaviours) {
      const expected = playBatch(model, runner.model, behaviour)
      runner.behaviour = behaviour
      expect(await runNext(runner)).toMatchObject(expected)
      await compare(world, model)
      const backsOff = [...model.rows.values()].map((row) => (row.retryAt?.high ?? 0) - model.now)
      await passTime(world, model, Math.max(1, Math.ceil(Math.max(...backsOff)) + 2))
    }
  }

  toString() {
    return `runner ${this.index} runs batches that ${this.behaviours.join(', ')}`
  }
}

/** A batch between two statements of which somebody else does something. */
export class RunBatchWhile extends RunnerCommand {
  readonly behaviour: Behaviour
  readonly point: number
  readonly action: Action

  constructor(index: number, behaviour: Behaviour, point: number, action: Action) {
    super(index)
    this.behaviour = behaviour
    this.point = point
    this.action = action
  }

  protected async act(model: Model, world: World, runner: Runner): Promise<void> {
    const { behaviour, point, action } = this
    let answer: string | null = null
    const act = async () => {
      answer = await actOnDatabase(world.ground, world.operator, action)
    }
    runner.behaviour = behaviour
    runner.database.arm({ at: point, outsideOnly: true, run: act })
    const end = await runNext(runner)
    // The batch may have had fewer statements.
    if (!runner.database.disarm()) await act()
    const possibilities = between(
      model,
      runner.model,
      (...given) => batchSteps(...given, behaviour),
      (copy) => actOnModel(copy, action),
    )
    await adopt(world, model, runner, possibilities, (possibility) => {
      const same = possibility.end !== null && sameEnd(possibility.end, end)
      return same && possibility.answer === answer && possibility.model.calls === world.calls
    })
  }

  toString() {
    return `runner ${this.index} runs a batch that ${this.behaviour} while at ${this.point}: ${JSON.stringify(this.action)}`
  }
}

function sameEnd(one: BatchEnd, other: BatchEnd): boolean {
  return 'aborts' in one || 'aborts' in other ? 'aborts' in one && 'aborts' in other : one.ran === other.ran
}
