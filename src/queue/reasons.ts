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
  | 'disabled'

/** Why an update isn't run now: for programs and for people. */
export interface Waiting {
  readonly code: WaitingCode
  readonly text: string
}

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
  // Whoever holds it has a handler.
  if (row.holder !== null && row.holder.owner !== onlooker.owner) {
    return { code: 'held', text: `held by ${row.holder.owner} until ${row.holder.until}` }
  }
  if (!onlooker.hasHandler(row.name)) return { code: 'no_handler', text: 'no handler in this process' }
  const unfinished = row.dependsOn.filter((name) => queued.has(name))
  if (unfinished.length > 0) return { code: 'waits_for', text: `waits for ${unfinished.join(', ')}` }
  if (row.backsOffUntil !== null) return { code: 'backs_off', text: `backs off until ${row.backsOffUntil}` }
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

/** Every name that stands in a cycle, with the cycle from that name back to itself. */
function findCycles(rows: ReadonlyMap<string, QueueRow>): Map<string, readonly string[]> {
  const cycles = new Map<string, readonly string[]>()
  const finished = new Set<string>()
  for (const start of rows.keys()) {
    if (finished.has(start)) continue
    walkDependencies(start, rows, finished, cycles)
  }
  return cycles
}

// Depth first with its own stack: a chain of a million rows must not overflow the call stack.
function walkDependencies(
  start: string,
  rows: ReadonlyMap<string, QueueRow>,
  finished: Set<string>,
  cycles: Map<string, readonly string[]>,
): void {
  const path: string[] = []
  const depthOf = new Map<string, number>()
  const stack: { readonly name: string; next: number }[] = []
  const enter = (name: string) => {
    depthOf.set(name, path.length)
    path.push(name)
    stack.push({ name, next: 0 })
  }
  enter(start)
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const dependency = rows.get(top.name)?.dependsOn[top.next]
    if (dependency === undefined) {
      finished.add(top.name)
      depthOf.delete(top.name)
      path.pop()
      stack.pop()
      continue
    }
    top.next += 1
    const depth = depthOf.get(dependency)
    if (depth !== undefined) noteCycle(path.slice(depth), cycles)
    else if (rows.has(dependency) && !finished.has(dependency)) enter(dependency)
  }
}

function noteCycle(members: readonly string[], cycles: Map<string, readonly string[]>): void {
  members.forEach((name, index) => {
    if (!cycles.has(name)) cycles.set(name, [...members.slice(index), ...members.slice(0, index), name])
  })
}
