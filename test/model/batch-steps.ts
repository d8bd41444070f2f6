import { endRow, progressObject, type Model, type ModelRow } from './model.js'
import { candidatesFor, inOrder, isHeld, isReady } from './rules.js'
import { BATCH_MS, type Behaviour, LEASE_MS, type ModelRunner, ONE_SHOT, ELSEWHERE } from './cast.js'

/** Where a batch stands; between two of these the world may change, or the runner may die. */
export type Stage = 'read' | 'picked' | 'free' | 'claimed' | 'prepare' | 'handler' | 'failing' | 'recorded' | 'released'

/** What a call comes to: the update whose batch ran, or null; or strict mode gave up. */
export type BatchEnd = { readonly ran: string | null } | { readonly aborts: true }

type Steps<Result> = Generator<Stage, Result, undefined>

/** `runNextBatch()` as steps that each happen at once or not at all: engine.md 3 and 6. */
export function* batchSteps(model: Model, runner: ModelRunner, behaviour: Behaviour): Steps<BatchEnd> {
  const end = yield* nextBatch(model, runner, behaviour)
  if ('aborts' in end) return end
  yield 'recorded'
  // Nobody says when the next call comes.
  releaseHeld(model, runner)
  yield 'released'
  return end
}

/** One batch of a runner that may go on with more. */
export function* nextBatch(model: Model, runner: ModelRunner, behaviour: Behaviour): Steps<BatchEnd> {
  for (;;) {
    const name = yield* pick(model, runner)
    if (name === null) return { ran: null }
    if (runner.held?.name !== name) {
      yield 'picked'
      releaseHeld(model, runner)
      yield 'free'
      if (!claim(model, runner, name)) return { ran: null }
      yield 'claimed'
    }
    const end = yield* runHeld(model, runner, name, behaviour)
    if (end !== 'overtaken') return end
    runner.leader = null
  }
}

/** The queue is looked at before every batch: now, or by the fence of an update that led it and is still held. */
function* pick(model: Model, runner: ModelRunner): Steps<string | null> {
  if (runner.leader !== null && runner.held?.name === runner.leader.name) return runner.leader.name
  runner.leader = null
  const known = queuedAmong(model, runner.handlers)
  const candidates = candidatesFor(model, runner).map((row) => ({ ...row }))
  yield 'read'
  const [first] = candidates
  const picked = first?.dependsOn.length === 0 ? first : candidates.find((row) => isReady(model, row))
  if (picked === undefined) return null
  if (picked.name === known[0]?.name) runner.leader = { name: picked.name, dependsOn: picked.dependsOn }
  return picked.name
}

function* runHeld(
  model: Model,
  runner: ModelRunner,
  name: string,
  behaviour: Behaviour,
): Steps<BatchEnd | 'overtaken'> {
  const token = runner.held?.token ?? ''
  const ours = () => {
    const row = model.rows.get(name)
    return row?.lease?.token === token ? row : null
  }
  // Still ours and runnable?
  const fenced = () => {
    const row = ours()
    return row !== null && row.state === 'queued' && !model.disabled ? row : null
  }
  function* lose(): Steps<BatchEnd> {
    yield 'recorded'
    releaseHeld(model, runner)
    runner.leader = null
    return { ran: null }
  }
  function* fail(how: Behaviour): Steps<BatchEnd> {
    yield 'failing'
    runner.held = null
    return recordFailure(model, runner, name, token, how)
  }
  if (name === ELSEWHERE) {
    const row = ours()
    if (row === null) return yield* lose()
    endRow(model, row, 'not applicable')
    runner.held = null
    return { ran: name }
  }
  let row = fenced()
  if (row === null) return yield* lose()
  if (name !== ONE_SHOT) {
    if (progressObject(row.progress) === null) return yield* fail(PERMANENT)
    yield 'prepare'
    if (runner.cancelled.delete(token)) return yield* lose()
    if (behaviour === 'throws') return yield* fail(behaviour)
    row = fenced()
    if (row === null) return yield* lose()
  }
  if (isOvertaken(model, runner, row)) return 'overtaken'
  if (progressObject(row.progress) === null) return yield* fail(PERMANENT)
  const before = row.progress
  model.now += BATCH_MS
  model.calls += 1
  yield 'handler'
  if (runner.cancelled.delete(token)) return yield* lose()
  if (FAILING.includes(behaviour)) return yield* fail(behaviour)
  const current = ours()
  if (current === null) return yield* lose()
  commit(model, current, before, behaviour)
  runner.failuresInARow = 0
  if (!model.rows.has(name)) runner.held = null
  if (current.idleBatches >= 10) {
    current.idleBatches = 0
    return yield* fail(PERMANENT)
  }
  return { ran: name }
}

/** Whether an update that led the queue must let the queue be looked at again. */
function isOvertaken(model: Model, { leader, owner, handlers }: ModelRunner, row: ModelRow): boolean {
  if (leader?.name !== row.name) return false
  if (row.dependsOn.join() !== leader.dependsOn.join() || !isReady(model, row)) return true
  const [first] = queuedAmong(model, handlers).filter((other) => !isHeld(model, other) || other.lease?.owner === owner)
  return first !== undefined && first.name !== row.name
}

function queuedAmong(model: Model, names: readonly string[]): ModelRow[] {
  return inOrder(model).filter((row) => row.state === 'queued' && names.includes(row.name))
}

const FAILING: readonly Behaviour[] = [
  'throws',
  'throws for good',
  'is locked out',
  'returns nonsense',
  'saves nonsense',
]
const PERMANENT: Behaviour = 'throws for good'

function claim(model: Model, runner: ModelRunner, name: string): boolean {
  const row = model.rows.get(name)
  if (row === undefined || row.state !== 'queued') return false
  if (isHeld(model, row) && row.lease?.owner !== runner.owner) return false
  const token = `${runner.owner}#${(runner.leases += 1)}`
  runner.held = { name, token }
  row.lease = { owner: runner.owner, token, until: model.now + LEASE_MS }
  return true
}

export function releaseHeld(model: Model, runner: ModelRunner): void {
  const { held } = runner
  runner.held = null
  const row = held && model.rows.get(held.name)
  if (row?.lease?.token === held?.token && row) row.lease = null
}

/** Data, progress and counters in one; a batch that began on another's progress would write over it. */
function commit(model: Model, row: ModelRow, before: string, behaviour: Behaviour): void {
  if (row.name !== ONE_SHOT) model.traces.set(row.name, (model.traces.get(row.name) ?? 0) + 1)
  const ends = behaviour === 'ends' || (behaviour === 'walks' && stepOf(before) >= 2)
  row.progress = behaviour === 'idles' ? before : nextProgress(before)
  row.batches += 1
  row.items += itemsOf(behaviour)
  if (ends) return endRow(model, row, 'completed')
  row.attempts = 0
  row.outcomes = `${row.outcomes}.`.slice(-20)
  row.lastError = null
  row.retryAt = null
  row.idleBatches = behaviour === 'idles' ? row.idleBatches + 1 : 0
  if (row.lease) row.lease.until = model.now + LEASE_MS
}

function recordFailure(model: Model, runner: ModelRunner, name: string, token: string, behaviour: Behaviour): BatchEnd {
  runner.failuresInARow += 1
  const row = model.rows.get(name)
  // Somebody else's row by now: not counted.
  if (row === undefined || row.lease?.token !== token) return { ran: name }
  const { strict, maxAttempts } = runner
  const attempts = row.attempts + 1
  const isLocked = behaviour === 'is locked out'
  const outcomes = `${row.outcomes}${isLocked ? 'w' : 'x'}`.slice(-20)
  // Waiting for a lock is put up with six times as long, and counts apart.
  const locks = countOf(outcomes.slice(outcomes.lastIndexOf('.') + 1), 'w')
  const tooMany = isLocked
    ? attempts >= 6 * maxAttempts
    : attempts - locks >= maxAttempts || countOf(outcomes, 'x') > 10
  const failed = behaviour === PERMANENT || tooMany
  const aborts = strict && (failed || runner.failuresInARow >= maxAttempts)
  // A pause that came meanwhile is a person's decision and stays.
  if (row.state === 'queued' && failed && !strict) row.state = 'failed'
  row.attempts = aborts ? 0 : attempts
  row.outcomes = aborts ? '' : outcomes
  row.failures += 1
  row.lastError = behaviour
  const pauseMs = failed ? 0 : Math.min(1_000 * 2 ** (attempts - 1), 60_000)
  row.retryAt = { low: model.now + pauseMs * 0.8, high: model.now + pauseMs * 1.2 }
  row.lease = null
  if (!aborts) return { ran: name }
  runner.failuresInARow = 0
  runner.aborted = true
  return { aborts }
}

function countOf(text: string, mark: string): number {
  return text.split(mark).length - 1
}

export function stepOf(progress: string): number {
  return Number(progressObject(progress)?.step ?? 0)
}

export function nextProgress(progress: string): string {
  return JSON.stringify({ ...progressObject(progress), step: stepOf(progress) + 1 })
}

export function itemsOf(behaviour: Behaviour): number {
  return behaviour === 'walks' || behaviour === 'ends' ? 3 : 0
}
