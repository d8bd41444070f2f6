import { needsPerson } from '../../queue/reasons.js'
import type { DatabaseStatus, UpdateStatus } from '../../status.js'

/** What can still come of a queue, seen from one runner. */
export type Outlook =
  | { readonly kind: 'empty' }
  /** Something runs here, can run, or will by itself. */
  | { readonly kind: 'working' }
  | { readonly kind: 'disabled'; readonly by: string | null; readonly reason: string | null }
  /** All that is left waits for other runners. */
  | { readonly kind: 'held'; readonly updates: readonly UpdateStatus[] }
  /** All that is left waits for a person. */
  | { readonly kind: 'stuck'; readonly updates: readonly UpdateStatus[] }

/** The outlook of the queue, or of `names` and what they depend on. Pure. */
export function outlookOf(status: DatabaseStatus, names: readonly string[] | null): Outlook {
  const updates = names === null ? status.updates : withDependencies(status.updates, names)
  if (updates.length === 0) return { kind: 'empty' }
  if (status.disabled) return { kind: 'disabled', ...status.disabled }
  // Who waits for another is decided by that other, which is in the queue as well.
  const roots = updates.filter(({ waiting }) => waiting?.code !== 'waits_for')
  const held = roots.filter(({ waiting }) => waiting?.code === 'held')
  const stuck = roots.filter(({ waiting }) => waiting && needsPerson(waiting.code))
  if (held.length + stuck.length < roots.length) return { kind: 'working' }
  return held.length > 0 ? { kind: 'held', updates: held } : { kind: 'stuck', updates: stuck }
}

function withDependencies(updates: readonly UpdateStatus[], names: readonly string[]): UpdateStatus[] {
  const byName = new Map(updates.map((update) => [update.name, update]))
  const wanted = new Set<string>()
  const pending = [...names]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const update = byName.get(name)
    if (update === undefined || wanted.has(name)) continue
    wanted.add(name)
    pending.push(...update.dependsOn)
  }
  return updates.filter(({ name }) => wanted.has(name))
}
