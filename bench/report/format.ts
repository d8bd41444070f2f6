import { median } from '../measure/summary.js'

/** How a column shows its numbers. */
export type Format = 'rows/s' | 'tps' | 'ms' | 'µs' | 'ratio' | 'count' | 'MB' | '%'

/** Median, and in brackets the least and the most where there are several: `312 (298–340)`; a dash of nothing. */
export function formatValues(values: readonly number[], format: Format): string {
  const measured = values.filter((value) => !Number.isNaN(value))
  if (measured.length === 0) return '–'
  const middle = formatNumber(median(measured), format)
  const least = formatNumber(Math.min(...measured), format)
  const most = formatNumber(Math.max(...measured), format)
  return least === most ? middle : `${middle} (${least}–${most})`
}

export function formatNumber(value: number, format: Format): string {
  switch (format) {
    case 'rows/s':
      return value >= 1_000 ? `${threeDigits(value / 1_000)} k` : threeDigits(value)
    case 'ratio':
      return value.toFixed(2)
    case '%':
      return `${(value * 100).toFixed(1)} %`
    case 'tps':
    case 'µs':
    case 'count':
      return Math.round(value).toLocaleString('en-US')
    case 'ms':
    case 'MB':
      return threeDigits(value)
  }
}

function threeDigits(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(value >= 10 ? 1 : 2)
}
