import type { Part } from './bench.js'
import { foreground } from './foreground/foreground.js'
import { lanes } from './lanes/lanes.js'
import { overhead } from './overhead/overhead.js'
import { scale } from './scale/scale.js'
import { throughput } from './throughput/throughput.js'
import { tuner } from './tuner/tuner.js'

/** Every part of the benchmark, in the order in which they run. */
export const PARTS: readonly Part[] = [tuner, overhead, throughput, foreground, lanes, scale]

/**
 * The parts of these names, all when there are none.
 *
 * @throws when there is no such part
 */
export function chosenParts(names: readonly string[]): readonly Part[] {
  const unknown = names.find((name) => !PARTS.some((part) => part.name === name))
  if (unknown !== undefined) {
    throw new Error(`there is no part "${unknown}"; there are ${PARTS.map(({ name }) => name).join(', ')}`)
  }
  return names.length === 0 ? PARTS : PARTS.filter(({ name }) => names.includes(name))
}
