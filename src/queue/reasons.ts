import type { QueueRow } from './row.js'

/** Why an update isn't run now; stable, for programs. */
export type WaitingCode =
  | 'paused'
  | 'failed'
  | 'no_handler'
  | 'dependency_cycle'
  | 'waits_for'
  | 'backs_off'
  | 'held'
  | 'controller'
  | 'throttled'
  | 'disabled'

/** Why an update isn't run now: for programs and for people. */
export interface Waiting {
  readonly code: WaitingCode
  readonly text: string
}

/** Who pauses an update when the engine does it, because a person has to decide. */
export const PAUSED_BY_US = 'evenkeel'

/** What this process knows that the queue doesn't. */
export interface Onlooker {
  /** Its name in leases; a status from outside has none. */
  readonly owner: string | null
  hasHandler(name: string): boolean
}

/** Codes that end only when a person does something. */
export function needsPerson(code: WaitingCode): boolean {
  return code === 'failed' || code === 'paused' || code === 'no_handler' || code === 'dependency_cycle'
}

/**
 * Why each row can't run; rows that can aren't in the result. The first reason that applies wins, those that need a
 * person before those that pass by themselves.
 */
export function explainQueue(rows: readonly QueueRow[], onlooker: Onlooker): Map<string, Waiting> {
  const byName = new Map(rows.map((row) => [row.name, row]))
  const cycles = findCycles(byName)
  const reasons = new Map<string, Waiting>()
  for (const row of rows) {
    const reason = explainRow(row, byName, cycles.get(row.name), onlooker)
    if (reason) reasons.set(row.name, reason)
  }
  return reasons
}

function explainRow(
  row: QueueRow,
  queued: ReadonlyMap<string, QueueRow>,
  cycle: readonly string[] | undefined,
  onlooker: Onlooker,
): Waiting | null {
  if (row.state === 'failed') {
    const times = row.attempts === 1 ? '1 time' : `${row.attempts} times`
    return { code: 'failed', text: `failed ${times}: ${row.lastError ?? 'unknown error'}` }
  }
  if (row.state === 'paused') {
    const by = row.stateBy === null ? '' : ` by ${row.stateBy}`
    return { code: 'paused', text: `paused${by}${row.stateReason === null ? '' : `: ${row.stateReason}`}` }
  }
  if (cycle) return { code: 'dependency_cycle', text: `dependency cycle ${cycle.join(' → ')}` }
  // Whoever holds it has a handler. Of an update that was split, a lane may be free for others.
  if (row.holder !== null && row.holder.owner !== onlooker.owner && !row.hasFreeLane) {
    const waits = row.waitingText === null ? '' : `; it waits: ${row.waitingText}`
    return { code: 'held', text: `held by ${row.holder.owner} until ${row.holder.until}${waits}` }
  }
  if (!onlooker.hasHandler(row.name)) return { code: 'no_handler', text: 'no handler in this process' }
  const unfinished = row.dependsOn.filter((name) => queued.has(name))
  if (unfinished.length > 0) return { code: 'waits_for', text: `waits for ${unfinished.join(', ')}` }
  if (row.backsOffUntil !== null) return { code: 'backs_off', text: `backs off until ${row.backsOffUntil}` }
  if (row.waitingText !== null) return { code: 'throttled', text: row.waitingText }
  return null
}

/**
 * The rows that an update's end depends on and that need a person, found through its dependencies. Empty when it can
 * still finish by itself.
 */
export function rootsNeedingPerson(
  name: string,
  rows: ReadonlyMap<string, QueueRow>,
  reasons: ReadonlyMap<string, Waiting>,
): string[] {
  const roots: string[] = []
  const seen = new Set<string>()
  const pending = [name]
  for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
    const row = rows.get(current)
    if (seen.has(current) || row === undefined) continue
    seen.add(current)
    const reason = reasons.get(current)
    if (reason && needsPerson(reason.code)) roots.push(current)
    else pending.push(...row.dependsOn)
  }
  return roots
}

/** Every name that stands in a cycle, with a cycle from that name back to itself. */
function findCycles(rows: ReadonlyMap<string, QueueRow>): Map<string, readonly string[]> {
  const cycles = new Map<string, readonly string[]>()
  for (const members of stronglyConnected(rows)) {
    for (const name of members) {
      if (!cycles.has(name)) noteCycle(wayBack(name, members, rows), cycles)
    }
  }
  return cycles
}

/**
 * Groups of names of which each depends on every other one, by Tarjan's algorithm; a name alone is one when it depends
 * on itself. Depth first with its own stack: a chain of a million rows must not overflow the call stack.
 */
function stronglyConnected(rows: ReadonlyMap<string, QueueRow>): ReadonlySet<string>[] {
  const groups: ReadonlySet<string>[] = []
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: string[] = []
  const isOpen = new Set<string>()
  const lower = (name: string, to: number) => lowest.set(name, Math.min(lowest.get(name) ?? to, to))
  for (const start of rows.keys()) {
    if (order.has(start)) continue
    const stack: { readonly name: string; next: number }[] = []
    const enter = (name: string) => {
      order.set(name, order.size)
      lower(name, order.size - 1)
      open.push(name)
      isOpen.add(name)
      stack.push({ name, next: 0 })
    }
    enter(start)
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { name } = top
      const dependency = rows.get(name)?.dependsOn[top.next]
      if (dependency !== undefined) {
        top.next += 1
        if (isOpen.has(dependency)) lower(name, order.get(dependency) ?? 0)
        else if (rows.has(dependency) && !order.has(dependency)) enter(dependency)
        continue
      }
      stack.pop()
      const low = lowest.get(name) ?? 0
      const above = stack.at(-1)
      if (above !== undefined) lower(above.name, low)
      if (low !== order.get(name)) continue
      const members = new Set(open.splice(open.lastIndexOf(name)))
      for (const member of members) isOpen.delete(member)
      if (members.size > 1 || rows.get(name)?.dependsOn.includes(name)) groups.push(members)
    }
  }
  return groups
}

/** The shortest way from a name over its dependencies back to itself, within its group: the name first, without its end. */
function wayBack(name: string, members: ReadonlySet<string>, rows: ReadonlyMap<string, QueueRow>): string[] {
  const cameFrom = new Map<string, string>()
  const pending = [name]
  for (const current of pending) {
    for (const next of rows.get(current)?.dependsOn ?? []) {
      if (next === name) {
        const way = [current]
        for (let at = cameFrom.get(current); at !== undefined; at = cameFrom.get(at)) way.push(at)
        return way.reverse()
      }
      if (!members.has(next) || cameFrom.has(next)) continue
      cameFrom.set(next, current)
      pending.push(next)
    }
  }
  // Not reached: every name of a group lies on a way back to itself.
  return [name]
}

function noteCycle(members: readonly string[], cycles: Map<string, readonly string[]>): void {
  members.forEach((name, index) => {
    if (!cycles.has(name)) cycles.set(name, [...members.slice(index), ...members.slice(0, index), name])
  })
}
