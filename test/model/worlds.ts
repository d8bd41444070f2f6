import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import type { BatchEnd, Stage } from './batch-steps.js'
import { batchSteps } from './batch-steps.js'
import type { Behaviour, ModelRunner } from './cast.js'
import { becomeModel, cloneModel, type Model } from './model.js'
import { adoptJitter, readSnapshot, snapshotOf } from './snapshot.js'
import type { Runner, World } from './world.js'

/**
 * Where a batch is cut short, or where somebody comes between, can't be told exactly from outside. So the model plays
 * every possibility through, and the database must be as one of them says.
 */
export interface Possibility<End> {
  readonly model: Model
  readonly runner: ModelRunner
  readonly end: End | null
  /** What the action that came between was answered. */
  readonly answer: string | null
}

/** What a runner does, step by step. */
export type Play<End> = (model: Model, runner: ModelRunner) => Generator<Stage, End, undefined>

/** All steps, one after the other. */
export function playThrough<End>(steps: Generator<Stage, End, undefined>): End {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** A batch that runs to its end, as the model has it. */
export function playBatch(model: Model, runner: ModelRunner, behaviour: Behaviour): BatchEnd {
  return playThrough(batchSteps(model, runner, behaviour))
}

/** Cut short after each of the steps. The last possibility is that it wasn't. */
export function cutShort<End>(model: Model, runner: ModelRunner, play: Play<End>): Possibility<End>[] {
  return interrupted(model, runner, play, () => null, false)
}

/** With `act` before one of the steps or after all of them. */
export function between<End>(
  model: Model,
  runner: ModelRunner,
  play: Play<End>,
  act: (model: Model) => string | null,
): Possibility<End>[] {
  return interrupted(model, runner, play, act, true)
}

function interrupted<End>(
  model: Model,
  runner: ModelRunner,
  play: Play<End>,
  act: (model: Model) => string | null,
  goesOn: boolean,
): Possibility<End>[] {
  const found: Possibility<End>[] = []
  for (let taken = 0; ; taken += 1) {
    const copy = cloneModel(model)
    const copyOfRunner = structuredClone(runner)
    const steps = play(copy, copyOfRunner)
    let end: End | null = null
    let ended = false
    for (let count = 0; count < taken && !ended; count += 1) {
      const step = steps.next()
      if (step.done !== true) continue
      ended = true
      end = step.value
    }
    const answer = act(copy)
    if (goesOn && !ended) end = playThrough(steps)
    found.push({ model: copy, runner: copyOfRunner, end, answer })
    if (ended) return found
  }
}

/** The possibility that came true, which the model then is. */
export async function adopt<End>(
  world: World,
  model: Model,
  runner: Runner,
  possibilities: readonly Possibility<End>[],
  also: (possibility: Possibility<End>) => boolean,
): Promise<Possibility<End>> {
  const real = await readSnapshot(world)
  const snapshots = possibilities.map((possibility) => snapshotOf(possibility.model, real))
  const index = possibilities.findIndex(
    (possibility, at) => isDeepStrictEqual(real, snapshots[at]) && also(possibility),
  )
  const found = possibilities[index]
  if (found === undefined) {
    // The nearest to read is the last: nothing came between.
    expect(real, 'the database is as no possibility says').toEqual(snapshots.at(-1))
    throw new Error('the database is as some possibility says, but the batch was answered otherwise')
  }
  becomeModel(model, found.model)
  Object.assign(runner.model, found.runner)
  adoptJitter(model, real)
  return found
}
