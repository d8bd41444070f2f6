import { defineUpdate, EvenkeelError, type BatchResult, type JsonObject, type UpdateDefinition } from 'evenkeel'
import { itemsOf, nextProgress, stepOf } from './batch-steps.js'
import { BATCH_MS, DEFAULTS, ELSEWHERE, ONE_SHOT, type Behaviour } from './cast.js'
import type { Hold, Runner, World } from './world.js'

type Actor = Omit<Runner, 'updater'>

/** The updates that one runner knows; `runner` null is somebody who only enqueues. */
export function definitions(
  world: World,
  runner: Actor | null,
  names: readonly string[],
): UpdateDefinition<never, never>[] {
  return names.map((name) => {
    const options = { name, ...DEFAULTS[name] }
    if (name === ONE_SHOT) {
      return defineUpdate<never, JsonObject>({
        ...options,
        oneShot: true,
        run: ({ progress }) => batch(world, runner, progress),
      }) as never
    }
    return defineUpdate<never, JsonObject>({
      ...options,
      ...(name === ELSEWHERE ? { on: world.ground.dialect === 'sqlite' ? 'postgres' : 'sqlite' } : {}),
      async prepare() {
        await arrive(runner, 'prepare')
        // Before its transaction, where SQLite's one writer leaves room for others.
        if (runner?.behaviour === 'throws') throw new Error(runner.behaviour)
        return undefined
      },
      async batch({ progress, query }) {
        await query('INSERT INTO traces VALUES ($1)', [name])
        return batch(world, runner, progress)
      },
    }) as never
  })
}

async function batch(world: World, runner: Actor | null, progress: JsonObject): Promise<BatchResult<JsonObject>> {
  if (runner === null) throw new Error('Nobody runs anything here')
  world.calls += 1
  await world.pass(BATCH_MS)
  await arrive(runner, 'handler')
  return behave(runner.behaviour, progress)
}

/** Waits here when the runner is to be frozen at this point. */
async function arrive(runner: Actor | null, stage: Hold): Promise<undefined> {
  const hold = runner?.hold
  if (hold?.stage !== stage) return
  hold.reached.open()
  await hold.thaw.opened
}

function behave(behaviour: Behaviour, progress: JsonObject): BatchResult<JsonObject> {
  const text = JSON.stringify(progress)
  const items = itemsOf(behaviour)
  // A private copy: what is done to it must leave no trace.
  Object.assign(progress, { step: 99 })
  switch (behaviour) {
    case 'walks':
      return { items, progress: JSON.parse(nextProgress(text)) as JsonObject, done: stepOf(text) >= 2 }
    case 'ends':
    case 'empty step':
      return { items, progress: JSON.parse(nextProgress(text)) as JsonObject, done: behaviour === 'ends' }
    case 'idles':
      return { items, done: false }
    case 'returns nonsense':
      return { items: -1 }
    case 'saves nonsense':
      return { items, progress: { step: Number.NaN } }
    case 'throws':
      throw new Error(behaviour)
    case 'throws for good':
      throw new EvenkeelError('TEST', behaviour, { hint: 'Nothing.', permanent: true })
    case 'is locked out':
      throw Object.assign(new Error(behaviour), { code: '55P03' })
  }
}
