import { UnknownUpdateError } from '../../errors.js'
import { closest } from '../../options.js'
import type { UpdateDefinition } from '../../updates/definition.js'

type Definitions = readonly UpdateDefinition<never, never>[]

/**
 * The updates of `--only`: those that are named, and what they depend on by their definitions or by the queue.
 *
 * @throws UnknownUpdateError suggesting the nearest name
 */
export function selectOnly(
  definitions: Definitions,
  names: readonly string[],
  queuedDependencies: ReadonlyMap<string, readonly string[]>,
): Definitions {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]))
  const wanted = new Set<string>()
  const pending = [...names]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (wanted.has(name)) continue
    wanted.add(name)
    pending.push(...(byName.get(name)?.dependsOn ?? []), ...(queuedDependencies.get(name) ?? []))
  }
  return definitions.filter(({ name }) => wanted.has(name))
}

/** @throws UnknownUpdateError for the first name that no database defines */
export function refuseUnknownNames(definitions: Definitions, names: readonly string[]): void {
  const known = definitions.map(({ name }) => name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new UnknownUpdateError(unknown, closest(unknown, known))
}
