import type { Reading } from '../reading.js'
import type { OwnWal } from './own-wal.js'

/** Beside others who alone force checkpoints all the time we may still write so much of what they write. */
const BESIDE_OTHERS = 0.25

/** Whose WAL is whose, and who shares what we may write. */
export interface WalShares {
  readonly own: Pick<OwnWal, 'others'>
  /** Batches that may be under way at the same time, over all processes. */
  readonly lanes: number
}

/**
 * Our WAL against what the foreground's own leaves of the limit: resting from what others write would help nobody. Where
 * it isn't known what is whose, all of it may be ours or nothing. So it never reaches beyond its limit.
 *
 * @param utilisation of what checkpoints bear, by all together
 */
export function walGauge(
  { value, why, lastReadMs }: Reading,
  utilisation: number,
  spread: number,
  { own, lanes }: WalShares,
): { readonly utilisation: number; readonly why: string } {
  const readable = value !== null && value > 0 && utilisation > 0 && lastReadMs !== null
  const others = readable ? own.others(value, lastReadMs) : null
  if (!readable || others === null) return { utilisation: Math.min(1, utilisation / spread), why }
  const limit = (value / utilisation) * spread
  const allowed = Math.max(limit - others, (BESIDE_OTHERS * others) / lanes)
  const ours = Math.max(0, value - others)
  return { utilisation: Math.min(1, ours / allowed), why: `${why}; ${Math.round((100 * ours) / value)} % of it ours` }
}
