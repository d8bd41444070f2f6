import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from 'evenkeel'

/** Back-off without its length: what is tested is that the runner goes on, not how patient it is. */
export const impatient: Clock = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) => delay(Math.min(ms, 20), undefined, { signal }),
}
