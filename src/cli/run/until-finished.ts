import { setTimeout as delay } from 'node:timers/promises'
import { classifyError } from '../../databases/error-class.js'
import { DisabledError, NeedsPersonError } from '../../errors.js'
import type { DatabaseStatus } from '../../status.js'
import type { BackgroundUpdater } from '../../updater.js'
import { HeldByOthersError } from '../errors.js'
import { outlookOf } from './outlook.js'

const LOOK_MS = 1_000

/**
 * Resolves when nothing of `names`, or of the whole queue, is left; the updater runs meanwhile.
 *
 * @throws NeedsPersonError, DisabledError, HeldByOthersError when nothing that is left can be run here
 */
export async function untilFinished(
  updater: BackgroundUpdater<never>,
  names: readonly string[] | null,
  signal: AbortSignal,
): Promise<void> {
  const holders = new LiveHolders()
  const changes = changesOf(updater)
  try {
    while (!signal.aborted) {
      const change = changes.next()
      const status = await statusUnlessAway(updater)
      if (status !== null && refuseStuck(updater.databaseName, status, names, holders) === 'empty') return
      await Promise.race([change, delay(LOOK_MS, undefined, { signal }).catch(() => {})])
    }
  } finally {
    changes.dispose()
  }
}

// The runner waits for a database that is away, and so does whoever waits for the runner.
async function statusUnlessAway(updater: BackgroundUpdater<never>): Promise<DatabaseStatus | null> {
  try {
    return await updater.databaseStatus()
  } catch (error) {
    if (classifyError(error) !== 'connection') throw error
    return null
  }
}

function refuseStuck(
  databaseName: string,
  status: DatabaseStatus,
  names: readonly string[] | null,
  holders: LiveHolders,
): 'empty' | 'working' {
  const outlook = outlookOf(status, names)
  switch (outlook.kind) {
    case 'empty':
    case 'working':
      return outlook.kind
    case 'disabled':
      throw new DisabledError(databaseName, outlook.by, outlook.reason)
    case 'stuck':
      throw new NeedsPersonError(
        outlook.updates.map(({ name, waiting }) => ({
          name,
          code: waiting?.code ?? 'unknown',
          text: waiting?.text ?? 'unknown',
        })),
      )
    case 'held': {
      const held = outlook.updates.map(({ name, owner, waiting }) => ({
        name,
        owner: owner ?? 'another runner',
        text: waiting?.text ?? '',
      }))
      if (holders.areAlive(held)) throw new HeldByOthersError(held)
      return 'working'
    }
  }
}

/**
 * A lease alone doesn't tell a live runner from one that was killed a moment ago. One that is renewed does; one that
 * isn't runs out, and the update is taken over.
 */
class LiveHolders {
  readonly #seen = new Map<string, string>()

  areAlive(held: readonly { readonly name: string; readonly text: string }[]): boolean {
    // The text carries the owner and the lease's end: any change of it is a sign of life.
    const alive = held.filter(({ name, text }) => this.#seen.has(name) && this.#seen.get(name) !== text)
    for (const { name, text } of held) if (!this.#seen.has(name)) this.#seen.set(name, text)
    return held.length > 0 && alive.length === held.length
  }
}

// The queue is looked at when something has ended, and not only once in a while: a short queue is over in a moment.
function changesOf(updater: BackgroundUpdater<never>) {
  let ring = () => {}
  const onChange = () => ring()
  const events = ['update:complete', 'update:fail', 'updater:idle', 'queue:change'] as const
  for (const event of events) updater.on(event, onChange)
  return {
    next: () =>
      new Promise<void>((resolve) => {
        ring = resolve
      }),
    dispose() {
      for (const event of events) updater.off(event, onChange)
    },
  }
}
