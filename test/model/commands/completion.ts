import { EvenkeelError } from 'evenkeel'
import { actOnDatabase, actOnModel, type Action } from '../actions.js'
import { nextBatch, releaseHeld, type Stage } from '../batch-steps.js'
import type { Behaviour, ModelRunner } from '../cast.js'
import type { Model } from '../model.js'
import { rootsOf } from '../rules.js'
import { adopt, between } from '../worlds.js'
import type { Runner, World } from '../world.js'
import { RunnerCommand } from './command.js'

type Completion = string | null

/** `runToCompletion()`, between two statements of which somebody else does something; where it never needs to wait. */
export class RunToCompletionWhile extends RunnerCommand {
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
    const possibilities = between(
      model,
      runner.model,
      (...given) => completionSteps(...given, behaviour),
      (copy) => actOnModel(copy, action),
    )
    if (possibilities.some(({ end }) => end === 'waits')) return
    let answer: string | null = null
    const act = async () => {
      answer = await actOnDatabase(world.ground, world.operator, action)
    }
    runner.behaviour = behaviour
    runner.database.arm({ at: point, outsideOnly: true, run: act })
    const end = await runner.updater.runToCompletion().then(
      () => null,
      (error: unknown) => (error instanceof EvenkeelError ? error.code : String(error)),
    )
    if (!runner.database.disarm()) await act()
    await adopt(
      world,
      model,
      runner,
      possibilities,
      (possibility) =>
        possibility.end === end && possibility.answer === answer && possibility.model.calls === world.calls,
    )
  }

  toString() {
    return `runner ${this.index} runs to completion with batches that ${this.behaviour} while at ${this.point}: ${JSON.stringify(this.action)}`
  }
}

function* completionSteps(
  model: Model,
  runner: ModelRunner,
  behaviour: Behaviour,
): Generator<Stage, Completion, undefined> {
  runner.aborted = false
  const completion = yield* batches(model, runner, behaviour)
  yield 'recorded'
  releaseHeld(model, runner)
  yield 'released'
  return completion
}

function* batches(model: Model, runner: ModelRunner, behaviour: Behaviour): Generator<Stage, Completion, undefined> {
  for (;;) {
    if (model.rows.size === 0) return null
    yield 'read'
    const end = yield* nextBatch(model, runner, behaviour)
    if ('aborts' in end) return 'UPDATER_ABORTED'
    yield 'recorded'
    if (end.ran !== null) continue
    if (model.disabled) return 'DISABLED'
    const stuck = [...model.rows.keys()].every((name) => rootsOf(model, name, runner).length > 0)
    return stuck ? 'NEEDS_PERSON' : 'waits'
  }
}
