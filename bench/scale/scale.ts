import type { Part } from '../bench.js'
import { memoryByItems } from './memory.js'
import { timeByQueueSize } from './queue-size.js'
import { timeByTableSize } from './table-size.js'

/** What grows with the table, the queue or the time, and what doesn't. */
export const scale: Part = {
  name: 'scale',
  run: async (bench) => [
    await timeByTableSize(bench),
    await timeByQueueSize(bench, 'postgres'),
    await timeByQueueSize(bench, 'sqlite'),
    await memoryByItems(bench),
  ],
}
