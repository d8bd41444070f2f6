import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { describePostgres } from '../support/postgres.js'
import { actOnDatabase, actOnModel } from './actions.js'
import { commandsArbitrary, setupArbitrary } from './arbitraries.js'
import { commandsRun } from './commands/command.js'
import { postgresGround, sqliteGround, type Ground } from './ground.js'
import { World } from './world.js'

/**
 * Random queues, orders, batches, deaths and frozen holders against the model in this folder. A failed run prints what
 * to set to see it again: EVENKEEL_SEED, EVENKEEL_PATH, EVENKEEL_REPLAY. EVENKEEL_MODEL_RUNS multiplies the length.
 */
const { EVENKEEL_SEED, EVENKEEL_PATH, EVENKEEL_REPLAY } = process.env
const LENGTH = Number(process.env.EVENKEEL_MODEL_RUNS ?? 1)

async function runModel(ground: Ground, numRuns: number): Promise<number> {
  await World.install(ground)
  const before = commandsRun()
  const property = fc.asyncProperty(setupArbitrary, commandsArbitrary(EVENKEEL_REPLAY), async (setup, commands) => {
    const random = vi.spyOn(Math, 'random').mockImplementation(seededRandom(setup.randomSeed))
    let world: World | null = null
    try {
      await fc.asyncModelRun(async () => {
        const created = await World.create(ground, setup)
        world = created.real
        for (const action of setup.queue) {
          actOnModel(created.model, action)
          await actOnDatabase(ground, created.real.operator, action)
        }
        return created
      }, commands)
    } finally {
      random.mockRestore()
      await (world as World | null)?.end()
    }
  })
  const seed = EVENKEEL_SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(EVENKEEL_SEED)
  const details = await fc.check(property, {
    seed,
    numRuns: EVENKEEL_PATH === undefined ? Math.ceil(numRuns * LENGTH) : 1,
    path: EVENKEEL_PATH,
    endOnFailure: EVENKEEL_PATH !== undefined,
  })
  const ran = commandsRun() - before
  console.info(`model (${ground.dialect}): ${ran} commands in ${details.numRuns} runs, EVENKEEL_SEED=${seed}`)
  if (details.failed) {
    const replay = /replayPath="([^"]*)"/.exec(fc.stringify(details.counterexample))?.[1] ?? ''
    console.info(
      `again: EVENKEEL_SEED=${seed} EVENKEEL_PATH=${details.counterexamplePath} EVENKEEL_REPLAY='${replay}' npx vitest run test/model`,
    )
    throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance })
  }
  return ran
}

// So that a run with the same seed has the same jitter.
function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0
    return ((state >>> 8) & 0xffff) / 0x10000
  }
}

describe('the queue is as the model says (SQLite)', () => {
  it('after every one of at least 10 000 commands', { timeout: 600_000 }, async () => {
    expect(await runModel(await sqliteGround(), 380)).toBeGreaterThanOrEqual(10_000 * LENGTH)
  })
})

describePostgres('the queue is as the model says', (postgres) => {
  it('after every one of at least 150 commands', { timeout: 600_000 }, async () => {
    expect(await runModel(await postgresGround(postgres), 10)).toBeGreaterThanOrEqual(150 * LENGTH)
  })
})
