import type { JsonObject } from '../../json.js'
import type { ProgressReport } from '../definition.js'
import { walkFraction, walkShare } from '../walk/fraction.js'
import { savedCount, type WalkProgress } from '../walk/progress.js'
import type { Verification } from './verification.js'

// A first pass that finds nothing reads what the walk has written: about that much cheaper.
const WALK_SHARE = 0.7
const ALMOST = 0.99

/** How far a backfill is. With a verification, its first pass is the rest of the way. */
export function reportBackfill(progress: JsonObject, verifies: boolean): ProgressReport {
  const walk = progress as WalkProgress
  const verification = progress.verification as Verification | undefined
  const counted = `${savedCount(progress, 'walked')} rows walked, ${savedCount(progress, 'changed')} changed`
  if (verification === undefined) {
    const { fraction, wholeMayBeOff } = walkShare(walk)
    return {
      wholeMayBeOff,
      fraction: fraction === null || !verifies ? fraction : fraction * WALK_SHARE,
      phase: 'walk',
      detail: counted,
    }
  }
  const { pass, found, repaired, left } = verification
  const way = pass > 1 ? 1 : (walkFraction(verification.walk) ?? 0)
  return {
    fraction: WALK_SHARE + (ALMOST - WALK_SHARE) * way,
    phase: 'verify',
    detail:
      left === undefined
        ? `${counted}; pass ${pass} found ${found} wrong, ${repaired} repaired in all`
        : `${counted}; ${repaired} repaired, ${left} left`,
  }
}
