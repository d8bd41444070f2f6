import type { Model, ModelRow } from './model.js'

/** Which update runs next and why others don't: engine.md 2. */

/** Who looks at the queue. */
export interface Onlooker {
  readonly owner: string | null
  readonly handlers: readonly string[]
}

/** The queue in its order: by ordering, then by the name's code points. */
export function inOrder(model: Model): ModelRow[] {
  return [...model.rows.values()].sort((a, b) => a.ordering - b.ordering || compareCodePoints(a.name, b.name))
}

function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

export function isHeld(model: Model, row: ModelRow): boolean {
  return row.lease !== null && row.lease.until !== null && row.lease.until > model.now
}

export function backsOff(model: Model, row: ModelRow): boolean {
  return row.retryAt !== null && row.retryAt.low > model.now
}

/** Rows that could run but for what they depend on. */
export function candidatesFor(model: Model, { owner, handlers }: Onlooker): ModelRow[] {
  if (model.disabled) return []
  return inOrder(model).filter(
    (row) =>
      row.state === 'queued' &&
      handlers.includes(row.name) &&
      !backsOff(model, row) &&
      !(isHeld(model, row) && row.lease?.owner !== owner),
  )
}

export function isReady(model: Model, row: ModelRow): boolean {
  return !row.dependsOn.some((name) => model.rows.has(name))
}

/** Whether a row waits for itself, over any number of others. */
export function inCycle(model: Model, name: string): boolean {
  const seen = new Set<string>()
  const pending = [...(model.rows.get(name)?.dependsOn ?? [])]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next === name) return true
    const row = model.rows.get(next)
    if (row === undefined || seen.has(next)) continue
    seen.add(next)
    pending.push(...row.dependsOn)
  }
  return false
}

/** Why a row isn't run, or null when it could be; the first that applies. */
export function reasonFor(model: Model, row: ModelRow, onlooker: Onlooker): string | null {
  if (row.state === 'failed') return 'failed'
  if (row.state === 'paused') return 'paused'
  if (inCycle(model, row.name)) return 'dependency_cycle'
  if (isHeld(model, row) && row.lease?.owner !== onlooker.owner) return 'held'
  if (!onlooker.handlers.includes(row.name)) return 'no_handler'
  if (!isReady(model, row)) return 'waits_for'
  if (backsOff(model, row)) return 'backs_off'
  return model.disabled ? 'disabled' : null
}

const NEEDS_PERSON = ['failed', 'paused', 'no_handler', 'dependency_cycle']

export function needsPerson(reason: string | null): boolean {
  return reason !== null && NEEDS_PERSON.includes(reason)
}

/** The rows that need a person and that a row's end depends on, itself included. */
export function rootsOf(model: Model, name: string, onlooker: Onlooker): ModelRow[] {
  const roots: ModelRow[] = []
  const seen = new Set<string>()
  const visit = (current: string) => {
    const row = model.rows.get(current)
    if (row === undefined || seen.has(current)) return
    seen.add(current)
    if (needsPerson(reasonFor(model, row, onlooker))) roots.push(row)
    else row.dependsOn.forEach(visit)
  }
  visit(name)
  return roots
}

/** The number of the updater's status: engine.md 6. */
export function statusCode(
  model: Model,
  onlooker: Onlooker,
  { aborted, runs }: { aborted: boolean; runs: boolean },
): number {
  if (aborted) return -1
  if (model.disabled) return 0
  const rows = [...model.rows.values()]
  if (rows.length === 0) return 3
  if (runs || rows.some((row) => isHeld(model, row))) return 2
  const reasons = rows.map((row) => reasonFor(model, row, onlooker))
  const nothingCanRun = reasons.every((reason) => needsPerson(reason) || reason === 'waits_for')
  return nothingCanRun && reasons.some((reason) => needsPerson(reason) && reason !== 'paused') ? -1 : 1
}
