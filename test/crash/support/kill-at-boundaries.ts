import assert from 'node:assert/strict'
import type { ChooseDeaths } from './deaths.js'
import type { Death } from './fatal.js'
import { runRunner } from './runner-job.js'
import { runScenario } from './run-scenario.js'
import type { Scenario } from './scenario.js'
import type { Content, Stage } from './stage.js'

export interface Survived {
  /** How many deaths were to be. */
  readonly deaths: number
  /** How many were. The others lay beyond the end of their run: how often it reads its signals depends on time. */
  readonly kills: number
}

/**
 * Runs a scenario once for each death that `choose` names from the control run's statements, each time with a process
 * that dies there and a runner that goes on, several at once on different stages. Throws at the first end that differs
 * from the control run's.
 */
export async function killAtBoundaries(
  bundle: string,
  scenario: Scenario,
  stages: readonly Stage[],
  choose: ChooseDeaths,
): Promise<Survived> {
  const [first] = stages
  if (first === undefined) throw new Error('there is no stage to run on')
  const control = await runControl(bundle, scenario, first)
  const left = [...choose(control.statements, first.dialect)]
  const deaths = left.length
  let kills = 0
  await Promise.all(
    stages.map(async (stage) => {
      for (let death = left.shift(); death !== undefined; death = left.shift()) {
        if (await killOnce(bundle, scenario, stage, death, control.content)) kills += 1
      }
    }),
  )
  return { deaths, kills }
}

async function runControl(bundle: string, scenario: Scenario, stage: Stage) {
  await stage.reset(scenario)
  const statements = await runRunner(bundle, jobOf(scenario, stage, null))
  if (statements === null) throw new Error('the control run was killed')
  const content = await stage.content()
  for (const sql of scenario.wrong(stage.dialect))
    assert.deepEqual({ sql, rows: await stage.rows(sql) }, { sql, rows: [] })
  const changes = content.rows.changes ?? []
  assert.equal(changes.length, scenario.changed)
  assert.equal(new Set(changes).size, scenario.changed)
  assert.deepEqual(content.rows.background_updates, [])
  assert.deepEqual(
    content.schema.filter((line) => line.includes('"index"') && line.includes('"valid":false')),
    [],
  )
  return { statements, content }
}

// True when the process died, which it may fail to do only where its run had fewer statements than the control run.
async function killOnce(
  bundle: string,
  scenario: Scenario,
  stage: Stage,
  death: Death,
  control: Content,
): Promise<boolean> {
  await stage.reset(scenario)
  const statements = await runRunner(bundle, jobOf(scenario, stage, death))
  const killed = statements === null
  if (!killed) assert.ok(statements.length < death.at, `statement ${death.at} was sent, and nobody died of it`)
  if (killed) {
    await stage.expireLeases()
    const database = stage.open()
    await runScenario(scenario, database)
    await database.close()
  }
  assert.deepEqual({ death, content: await stage.content() }, { death, content: control })
  return killed
}

function jobOf({ name }: Scenario, { dialect, database }: Stage, death: Death | null) {
  return { scenario: name, dialect, database, death }
}
