import { closest } from '../options.js'
import { UnknownUpdateError } from '../errors.js'
import { UsageError } from './errors.js'
import type { OpenTarget } from './open-targets.js'
import type { Target } from './targets.js'

/**
 * The database that an update is enqueued in: the one whose configuration defines it.
 *
 * @throws UnknownUpdateError suggesting the nearest name
 * @throws UsageError when several define it
 */
export function targetDefining<Kind extends Pick<Target, 'databaseName' | 'definitions'>>(
  targets: readonly Kind[],
  name: string,
): Kind {
  // Without a configuration there is one database, and no list of names to hold a name against.
  const defining = targets.filter(
    ({ definitions }) => definitions === null || definitions.some((definition) => definition.name === name),
  )
  const known = targets.flatMap(({ definitions }) => definitions ?? []).map((definition) => definition.name)
  return onlyOne(defining, name, 'defined in', () => new UnknownUpdateError(name, closest(name, known)))
}

/**
 * The database in whose queue an update is.
 *
 * @throws UsageError suggesting the nearest queued name
 */
export async function targetQueueing(targets: readonly OpenTarget[], name: string): Promise<OpenTarget> {
  const queueing: OpenTarget[] = []
  const queued: string[] = []
  for (const target of targets) {
    const names = (await target.updater.databaseStatus()).updates.map((update) => update.name)
    if (names.includes(name)) queueing.push(target)
    queued.push(...names)
  }
  return onlyOne(queueing, name, 'queued in', () => notQueued(name, queued))
}

function notQueued(name: string, queued: readonly string[]): UsageError {
  const meant = closest(name, queued)
  return new UsageError(
    `update "${name}" is not in the queue${meant === undefined ? '' : `; did you mean "${meant}"?`}`,
    'It has finished, was cancelled or was never enqueued: see `evenkeel history` and `evenkeel status`.',
  )
}

function onlyOne<Kind extends { readonly databaseName: string }>(
  found: readonly Kind[],
  name: string,
  where: string,
  none: () => Error,
): Kind {
  const [first] = found
  if (first === undefined) throw none()
  if (found.length === 1) return first
  throw new UsageError(
    `update "${name}" is ${where} several databases: ${found.map(({ databaseName }) => databaseName).join(', ')}`,
    'Say which of them is meant: --database-name NAME.',
  )
}
