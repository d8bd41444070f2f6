import { afterAll, beforeAll, expect, it } from 'vitest'
import { describePostgres, postgresVersions } from '../support/postgres.js'
import { everyBoundary, some, upTo } from './support/deaths.js'
import { killAtBoundaries } from './support/kill-at-boundaries.js'
import { bundleProgram } from './support/runner-bundle.js'
import { scenariosOf } from './support/scenarios.js'
import type { Stage } from './support/stage.js'
import { postgresStage } from './support/stage-postgres.js'

const newest = Number(postgresVersions.at(-1))

describePostgres('SIGKILL at every statement boundary', (postgres) => {
  let bundle: Awaited<ReturnType<typeof bundleProgram>>
  let stages: readonly Stage[]
  beforeAll(async () => {
    bundle = await bundleProgram('runner-process')
    const databases = await Promise.all([1, 2, 3].map(() => postgres.freshDatabase()))
    stages = databases.map(({ pool, url }) => postgresStage(pool, url))
  })
  afterAll(() => bundle.remove())

  const isNewest = postgres.version === newest
  const older = postgresVersions.length - 1
  const turn = postgresVersions.findIndex((version) => Number(version) === postgres.version)

  // On the newest, one kind gets every boundary, the others those that may leave a trace, a spread of them where there
  // are many; the older ones share the kinds among them. `npm run test:crash` does them all everywhere.
  const scenarios = scenariosOf('postgres').filter((_, index) => isNewest || index % older === turn)

  it.each(scenarios)('$name', { timeout: 300_000 }, async (scenario) => {
    const offset = scenarios.indexOf(scenario)
    const many = scenario.name === 'backfill set' ? everyBoundary : upTo(16, offset)
    const { deaths, kills } = await killAtBoundaries(bundle.file, scenario, stages, isNewest ? many : some(4, offset))
    // A build of an index looks at its progress now and then, so that a run may have a statement less than another.
    expect(kills).toBeGreaterThan(deaths * 0.7)
  })
})
