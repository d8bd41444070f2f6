import { createHash } from 'node:crypto'

// Enough that two definitions of one update never share it by chance, and short enough for a message.
const LENGTH = 16
const MAX_DEPTH = 50

/**
 * What an update does, as 16 hexadecimal digits: its kind and its options in a form that doesn't depend on their order.
 * Functions count by their source text, or, when there is a `version`, by that alone.
 */
export function fingerprintOf(kind: string, options: object, version: string | number | undefined): string {
  const canonical = JSON.stringify([kind, version ?? null, canonicalOf(options, version !== undefined, [])])
  return createHash('sha256').update(canonical).digest('hex').slice(0, LENGTH)
}

function canonicalOf(value: unknown, hasVersion: boolean, within: readonly object[]): unknown {
  if (typeof value === 'function') {
    // A formatter changes the blanks between two words, but not what the function does.
    return hasVersion ? ['function'] : ['function', Function.prototype.toString.call(value).replaceAll(/\s+/g, ' ')]
  }
  if (typeof value !== 'object' || value === null) return [typeof value, String(value)]
  // Of an object that refers to itself nothing more can be said.
  if (within.includes(value)) return ['cycle']
  // No option is that deep: what lies below is nothing that an update works by.
  if (within.length >= MAX_DEPTH) return ['deep']
  const inside = [...within, value]
  if (Array.isArray(value)) return value.map((entry) => canonicalOf(entry, hasVersion, inside))
  if (!isPlain(value)) return ['object', (value.constructor as { name?: string } | undefined)?.name ?? null]
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return Object.fromEntries(
    entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [`:${key}`, canonicalOf(entry, hasVersion, inside)]),
  )
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
