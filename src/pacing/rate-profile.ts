/** A stretch of a walk: how many seconds of wall-clock time it took, and by what share of the walk it advanced. */
export type Stretch = readonly [seconds: number, advance: number]

/**
 * The way that a walk has gone, oldest stretch first: coarse, for it is saved with every batch, and by time, so that
 * a night at a tenth of the speed is as long in it as it was. Stretches differ in length by a factor of two or so.
 */
export type RateProfile = readonly Stretch[]

/** More stretches than this are joined by twos. */
export const MAX_STRETCHES = 16

/** The profile after another `seconds`, in which the walk advanced by `advance`. */
export function extendProfile(profile: RateProfile, seconds: number, advance: number): RateProfile {
  const last = profile.at(-1)
  const shortest = (secondsOf(profile) + seconds) / MAX_STRETCHES
  if (last !== undefined && last[0] < shortest) {
    return [...profile.slice(0, -1), [last[0] + seconds, last[1] + advance]]
  }
  const closed = last === undefined ? profile : [...profile.slice(0, -1), rounded(...last)]
  const extended: RateProfile = [...closed, [seconds, advance]]
  return extended.length > MAX_STRETCHES ? joinedByTwos(extended) : extended
}

export function secondsOf(profile: RateProfile): number {
  return profile.reduce((sum, [seconds]) => sum + seconds, 0)
}

/** How far the walk advanced in the last `seconds` of the profile; before its beginning it is taken to be as fast. */
export function advanceWithin(profile: RateProfile, seconds: number): number {
  let left = seconds
  let advance = 0
  for (const [length, advanced] of profile.toReversed()) {
    const share = length > 0 ? Math.min(1, left / length) : 1
    advance += advanced * share
    left -= length
    if (left <= 0) return advance
  }
  const known = secondsOf(profile)
  return known > 0 ? advance + (advance / known) * left : advance
}

/**
 * The profile of a walk that several go at the same time, each over its share of it: seen from now, what all advanced
 * in the same time is added up.
 */
export function combineProfiles(
  parts: readonly { readonly profile: RateProfile; readonly share: number }[],
): RateProfile {
  const longest = Math.max(0, ...parts.map(({ profile }) => secondsOf(profile)))
  if (longest === 0) return []
  const within = (seconds: number) =>
    parts.reduce((sum, { profile, share }) => sum + share * advanceWithin(profile, seconds), 0)
  const seconds = longest / MAX_STRETCHES
  return Array.from({ length: MAX_STRETCHES }, (_, index) => {
    const age = longest - index * seconds
    return rounded(seconds, Math.max(0, within(age) - within(age - seconds)))
  })
}

function joinedByTwos(profile: RateProfile): RateProfile {
  const joined: Stretch[] = []
  for (let index = 0; index < profile.length; index += 2) {
    const [seconds, advance] = profile[index] ?? [0, 0]
    const [moreSeconds, moreAdvance] = profile[index + 1] ?? [0, 0]
    joined.push(rounded(seconds + moreSeconds, advance + moreAdvance))
  }
  return joined
}

// Five digits are more than an estimate needs, and the row is written with every batch. Only of a stretch that is over:
// a short batch would be lost in it.
function rounded(seconds: number, advance: number): Stretch {
  return [Number(seconds.toPrecision(5)), Number(advance.toPrecision(5))]
}
