import { BackgroundUpdater, noPace, type Database } from 'evenkeel'
import type { Scenario } from './scenario.js'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

// Longer than any test: who takes over says when it has passed.
const NEVER_MS = 600_000

/** Runs the updates of a scenario to their end, after whoever died at it or beside others who are at it. */
export async function runScenario(scenario: Scenario, database: Database<never>, leaseMs = NEVER_MS): Promise<void> {
  const updates = scenario.updates(database.dialect)
  const updater = new BackgroundUpdater<never>({
    database,
    updates,
    pace: noPace(),
    leaseMs,
    pollMs: 50,
    logger: silent,
  })
  await scenario.migrate?.(database)
  await updater.runToCompletion()
  await updater.stop()
}
