/** Colours of text, or none of them. */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly red: (text: string) => string
  readonly cyan: (text: string) => string
}

type Code = readonly [open: number, close: number]
const CODES: Readonly<Record<keyof Style, Code>> = {
  bold: [1, 22],
  dim: [2, 22],
  green: [32, 39],
  yellow: [33, 39],
  red: [31, 39],
  cyan: [36, 39],
}

/** Styles that write escape codes when `enabled`, and the bare text when not. */
export function styles(enabled: boolean): Style {
  const paint = ([open, close]: Code) => {
    if (!enabled) return (text: string) => text
    return (text: string) => (text === '' ? '' : `\u001b[${open}m${text}\u001b[${close}m`)
  }
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    green: paint(CODES.green),
    yellow: paint(CODES.yellow),
    red: paint(CODES.red),
    cyan: paint(CODES.cyan),
  }
}

const ESCAPES = /\u001b\[\d+m/g

/** How many columns a text takes, escape codes left out. */
export function visibleWidth(text: string): number {
  return [...text.replace(ESCAPES, '')].length
}

/** Cuts a text to `width` columns; escape codes take none and are all kept, so that no colour runs on. */
export function cutToWidth(text: string, width: number): string {
  if (visibleWidth(text) <= width) return text
  let left = Math.max(width - 1, 0)
  let cut = ''
  let position = 0
  for (const match of text.matchAll(ESCAPES)) {
    const part = [...text.slice(position, match.index)].slice(0, left)
    left -= part.length
    cut += part.join('') + match[0]
    position = match.index + match[0].length
  }
  cut += [...text.slice(position)].slice(0, left).join('')
  return width > 0 ? `${cut}…` : cut
}

export function padToWidth(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - visibleWidth(text)))
}

export function padStartToWidth(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - visibleWidth(text))) + text
}
