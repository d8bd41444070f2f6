/** Sizes and times as people read them, for the reasons of signals. */

const SIZES = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const

export function bytesText(bytes: number): string {
  let size = bytes
  let unit = 0
  while (Math.abs(size) >= 1024 && unit < SIZES.length - 1) {
    size /= 1024
    unit += 1
  }
  return `${digits(size)} ${SIZES[unit]}`
}

export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${digits(ms / 1_000)} s`
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${digits(ms / 3_600_000)} h`
}

/** As exact as anybody wants to know. */
export function digits(value: number): string {
  return String(Math.abs(value) >= 10 ? Math.round(value) : Number(value.toPrecision(2)))
}

/** `1 session`, `2 sessions`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
