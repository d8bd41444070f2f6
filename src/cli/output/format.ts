/** Numbers, times and shares as people read them. */

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

export function formatCount(count: number): string {
  return WHOLE.format(count)
}

/** `1 batch`, `2 batches`. */
export function formatAmount(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

/** `0.4`, `12`, `9,870`, `312 k`: three digits at most, for numbers that change while one looks. */
export function formatRate(perSecond: number): string {
  if (perSecond >= 999_500) return `${(perSecond / 1_000_000).toFixed(perSecond < 9_950_000 ? 1 : 0)} M`
  if (perSecond >= 10_000) return `${Math.round(perSecond / 1_000)} k`
  if (perSecond >= 10 || perSecond === 0) return formatCount(perSecond)
  return perSecond.toFixed(1)
}

/** Never 100 % before the end. */
export function formatShare(fraction: number): string {
  const percent = Math.min(fraction * 100, 99.9)
  return percent < 10 ? `${percent.toFixed(1)} %` : `${Math.floor(percent)} %`
}

/** `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${Math.max(seconds, 0).toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return pair(Math.floor(whole / 60), 'min', whole % 60, 's')
  const minutes = Math.round(seconds / 60)
  if (minutes < 1_440) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min')
  const hours = Math.round(seconds / 3_600)
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
}

/** A duration that was measured: ms below a second. */
export function formatMs(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`
  return ms < 1_000 ? `${Math.round(ms)} ms` : formatSeconds(ms / 1_000)
}

/** `3–5 s`: the unit once where both ends share it. */
export function formatRange([low, high]: readonly [low: number, high: number]): string {
  if (high < 1) return '< 1 s'
  const from = high < 60 ? `${Math.floor(low)} s` : formatSeconds(low)
  const to = high < 60 ? `${Math.ceil(high)} s` : formatSeconds(high)
  if (from === to) return to
  const unit = / \S+$/.exec(to)?.[0] ?? ''
  const shared = from.endsWith(unit) && from.split(' ').length === 2 && to.split(' ').length === 2
  return `${shared ? from.slice(0, -unit.length) : from}–${to}`
}
