import type { Dialect } from 'evenkeel'
import { constraints } from './scenarios/constraints.js'
import { indexes } from './scenarios/indexes.js'
import { queueOf200 } from './scenarios/queue.js'
import { slowWalk } from './scenarios/slow.js'
import { walks } from './scenarios/walks.js'
import type { Scenario } from './scenario.js'

const all: readonly Scenario[] = [...walks, ...indexes, ...constraints]

export function scenariosOf(dialect: Dialect): readonly Scenario[] {
  return all.filter(({ dialects }) => dialects.includes(dialect))
}

export function scenarioNamed(name: string): Scenario {
  const found = [...all, queueOf200, slowWalk].find((scenario) => scenario.name === name)
  if (found === undefined) throw new Error(`there is no scenario "${name}"`)
  return found
}
