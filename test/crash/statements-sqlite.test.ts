import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../support/sqlite.js'
import { everyBoundary, upTo } from './support/deaths.js'
import { killAtBoundaries } from './support/kill-at-boundaries.js'
import { bundleProgram } from './support/runner-bundle.js'
import { scenariosOf } from './support/scenarios.js'
import { sqliteStage } from './support/stage-sqlite.js'

describe('SIGKILL at every statement boundary (SQLite)', () => {
  let bundle: Awaited<ReturnType<typeof bundleProgram>>
  beforeAll(async () => {
    bundle = await bundleProgram('runner-process')
  })
  afterAll(() => bundle.remove())

  // One kind gets every boundary, the others those that may leave a trace, a spread of them where there are many:
  // `npm run test:crash` does them all.
  it.each(scenariosOf('sqlite'))('$name', { timeout: 300_000 }, async (scenario) => {
    const folder = temporaryDirectory()
    const stages = [1, 2].map((n) => sqliteStage(path.join(folder, `${n}.db`)))
    const choose = scenario.name === 'backfill set' ? everyBoundary : upTo(24, 0)
    const { deaths, kills } = await killAtBoundaries(bundle.file, scenario, stages, choose)
    expect(kills).toBeGreaterThan(Math.max(3, deaths * 0.7))
  })
})
