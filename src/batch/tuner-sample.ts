import type { StatementSample } from '../pacing/statement-size.js'
import type { TunerSample } from '../pacing/tuner.js'

/**
 * What a batch tells the tuner, its rests not counted. `frameMs` is BEGIN, fence and COMMIT.
 *
 * Of a batch in small statements whose server time is known, all the rest is overhead as well, the way of one statement to
 * the server and back too: on a slow network or a busy machine it is longer than the rows of a whole batch take, and
 * counted as theirs it would make the next batch smaller and smaller.
 */
export function tunerSample(
  { items, statement }: { readonly items: number; readonly statement: StatementSample | undefined },
  durationMs: number,
  frameMs: number,
): TunerSample {
  const allMs = statement?.allMs
  return { items, durationMs, overheadMs: allMs === undefined ? frameMs : Math.max(frameMs, durationMs - allMs) }
}
