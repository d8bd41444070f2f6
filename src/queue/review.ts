import type { QueueStore } from './queue-store.js'
import { explainQueue, type Onlooker, type Waiting } from './reasons.js'
import type { QueueRow } from './row.js'

/** What is odd about a queue, held against the updates of this process. */
export interface QueueReview {
  /** Queued names that this process has no handler for. */
  readonly unknownRows: string[]
  /** Names in depends_on that are neither queued nor finished nor known here: probably misspelt. */
  readonly unknownDependencies: string[]
  /** Each cycle once, as `a → b → a`. */
  readonly cycles: string[]
  readonly waiting: ReadonlyMap<string, Waiting>
}

export async function reviewQueue<Tx>(store: QueueStore<Tx>, onlooker: Onlooker): Promise<QueueReview> {
  const rows = await store.rows()
  const waiting = explainQueue(rows, onlooker)
  return {
    unknownRows: rows.filter((row) => !onlooker.hasHandler(row.name)).map((row) => row.name),
    unknownDependencies: await unknownDependencies(store, rows, onlooker),
    cycles: [...new Set(rows.flatMap((row) => cycleOf(waiting.get(row.name))))],
    waiting,
  }
}

async function unknownDependencies<Tx>(
  store: QueueStore<Tx>,
  rows: readonly QueueRow[],
  onlooker: Onlooker,
): Promise<string[]> {
  const queued = new Set(rows.map((row) => row.name))
  const names = [...new Set(rows.flatMap((row) => row.dependsOn))].filter(
    (name) => !queued.has(name) && !onlooker.hasHandler(name),
  )
  const finished = await store.finishedAmong(names)
  return names.filter((name) => !finished.has(name))
}

// A cycle is seen from each of its members; the one that starts at the smallest name stands for all.
function cycleOf(reason: Waiting | undefined): string[] {
  if (reason?.code !== 'dependency_cycle') return []
  const members = reason.text.replace('dependency cycle ', '').split(' → ').slice(0, -1)
  const smallest = members.indexOf([...members].sort()[0] ?? '')
  const turned = [...members.slice(smallest), ...members.slice(0, smallest)]
  return [[...turned, turned[0]].join(' → ')]
}
