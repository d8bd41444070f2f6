import { availableParallelism } from 'node:os'
import type { Signal, SignalContext } from '../signal.js'
import { digits } from '../units.js'
import { against } from '../verdict.js'
import { activityOf } from './activity.js'

// SQL doesn't tell the cores. A client on the server's own machine can count them; else the limits on workers, which
// whoever sizes a server raises with its cores, are a guess.
const SERVER = `
  SELECT
    inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr() AS local,
    greatest(
      current_setting('max_parallel_workers')::int,
      current_setting('max_worker_processes')::int
    ) AS workers`

// A look sees one moment, in which now nobody works and now three: the mean of about so many of the last ones counts.
const LOOKS = 8
const INTERVAL_MS = 250
// Fewer than so many tell too little to stop for.
const LEAST_LOOKS = 4

interface Cores {
  readonly cores: number
  readonly guessed: boolean
}

/** Others at work, for each core. A guessed number of cores slows the work down, but never stops it. */
export function activeBackends(perCore: number, cores: number | undefined): Signal {
  return {
    name: 'active backends',
    kind: 'gauge',
    intervalMs: INTERVAL_MS,
    timeoutMs: 1_000,
    shared: true,
    open() {
      let known: Cores | null = cores === undefined ? null : { cores, guessed: false }
      let looks = 0
      let mean = 0
      return async (context) => {
        known ??= await coresOf(context)
        const { active } = await activityOf(context)
        looks += 1
        mean += (active - mean) / Math.min(looks, LOOKS)
        const limit = perCore * known.cores
        const guess = known.guessed ? ', a guess: set the option cores' : ''
        const found = against(mean, limit, `${digits(mean)} sessions at work (limit ${digits(limit)}${guess})`)
        const mayStop = !known.guessed && looks >= LEAST_LOOKS
        if (mayStop || found.utilisation === undefined || found.utilisation <= 1) return found
        return { ...found, utilisation: 1, verdict: 'pressure' }
      }
    },
  }
}

async function coresOf({ query }: SignalContext): Promise<Cores> {
  const { rows } = await query<{ local: boolean; workers: number }>(SERVER)
  if (rows[0]?.local === true) return { cores: availableParallelism(), guessed: false }
  return { cores: Math.max(rows[0]?.workers ?? 1, 1), guessed: true }
}
