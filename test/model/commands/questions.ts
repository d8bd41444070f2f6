import { EvenkeelError } from 'evenkeel'
import { expect } from 'vitest'
import { NAMES } from '../cast.js'
import type { Model } from '../model.js'
import { inOrder, isHeld, reasonFor, rootsOf, statusCode } from '../rules.js'
import type { Runner, World } from '../world.js'
import { Command, RunnerCommand } from './command.js'

/** `status()` and `currentUpdate()` of one runner. */
export class AskStatus extends RunnerCommand {
  protected async act(model: Model, _world: World, { updater, model: known }: Runner): Promise<void> {
    const { statusCode: code, enabled, updates } = await updater.databaseStatus()
    expect({ code, enabled }).toEqual({
      code: statusCode(model, known, { aborted: known.aborted, runs: false }),
      enabled: !model.disabled,
    })
    expect(
      updates.map(({ name, state, waiting, batches, items, failures, dependsOn, owner }) => ({
        ...{ name, state, batches, items, failures, dependsOn, owner },
        waiting: waiting?.code ?? null,
        text: TEXTS.includes(waiting?.code ?? '') ? waiting?.text : null,
      })),
    ).toEqual(
      inOrder(model).map((row) => {
        const reason = reasonFor(model, row, known)
        const held = isHeld(model, row)
        const { name, state, batches, items, failures, dependsOn } = row
        return {
          ...{ name, batches, items, failures, dependsOn, owner: held ? (row.lease?.owner ?? null) : null },
          state: held && state === 'queued' ? 'running' : state,
          waiting: reason,
          text: textOf(model, name, reason),
        }
      }),
    )
    expect(await updater.currentUpdate()).toBe(inOrder(model).find((row) => isHeld(model, row))?.name ?? null)
  }

  toString() {
    return `runner ${this.index} tells the status`
  }
}

const TEXTS: readonly string[] = ['waits_for', 'paused', 'no_handler']

function textOf(model: Model, name: string, reason: string | null): string | null {
  const row = model.rows.get(name)
  if (reason === 'paused') return 'paused by anna'
  if (reason === 'no_handler') return 'no handler in this process'
  if (reason !== 'waits_for') return null
  return `waits for ${row?.dependsOn.filter((dependency) => model.rows.has(dependency)).join(', ')}`
}

/** `hasCompleted()` and `waitFor()` from outside. */
export class AskForEnd extends Command {
  readonly names: readonly string[]

  constructor(names: readonly string[]) {
    super()
    this.names = names
  }

  protected async happen(model: Model, { operator }: World): Promise<void> {
    const pending = this.names.filter((name) => model.rows.has(name))
    expect(await operator.hasCompleted(...this.names)).toBe(pending.length === 0)
    const answer = await operator.waitFor(this.names, { timeoutMs: 0 }).then(
      () => null,
      (error: unknown) => (error instanceof EvenkeelError ? error.code : error),
    )
    expect(answer).toBe(this.#expected(model, pending))
  }

  #expected(model: Model, pending: readonly string[]): string | null {
    const wasCancelled = (name: string) =>
      !model.rows.has(name) && model.history.findLast((entry) => entry.name === name)?.outcome === 'cancelled'
    if (this.names.some(wasCancelled)) return 'UPDATE_CANCELLED'
    if (pending.length === 0) return null
    const anybody = { owner: null, handlers: NAMES }
    const hopeless = (name: string) =>
      rootsOf(model, name, anybody).some((row) => row.state === 'failed' || reasonFor(model, row, anybody) === CYCLE)
    return pending.some(hopeless) ? 'UPDATE_FAILED' : 'WAIT_TIMEOUT'
  }

  toString() {
    return `somebody waits for ${this.names.join(', ')}`
  }
}

const CYCLE = 'dependency_cycle'
