import type { JsonValue } from '../json.js'
import type { EncodedKey } from './encoding.js'

/** A value of the key's first column, and the share of the rows up to it, 0 to 1. */
export type Waypoint = readonly [value: JsonValue, share: number]

/**
 * The share of the rows up to `key` by waypoints in the order of the key, straight between two of them. Only for people
 * and estimates: text is compared nearly, not exactly, as the database does it. Null without waypoints.
 */
export function keyPosition(waypoints: readonly Waypoint[], key: EncodedKey): number | null {
  const value = key[0]
  const [first] = waypoints
  if (first === undefined || value === undefined) return null
  let [from, share] = first
  for (const [to, toShare] of waypoints.slice(1)) {
    const way = shareBetween(from, to, value)
    if (way === null) return null
    if (way < 1) return share + Math.max(0, way) * (toShare - share)
    from = to
    share = toShare
  }
  return share
}

/**
 * Where `value` is between two others, 0 to 1; below 0 and from 1 on it is outside of them. Null when they can't be
 * compared.
 */
export function shareBetween(from: JsonValue, to: JsonValue, value: JsonValue): number | null {
  for (const read of [wholeNumber, hexadecimal, moment, realNumber]) {
    const [a, b, x] = [read(from), read(to), read(value)]
    if (a === null || b === null || x === null) continue
    return a === b ? (x < a ? -1 : 1) : ratio(x, a, b)
  }
  if (typeof from === 'string' && typeof to === 'string' && typeof value === 'string') {
    return shareOfText(from, to, value)
  }
  return null
}

/** How far one whole number is from another; null when they are none. */
export function wholeDistance(from: JsonValue | undefined, to: JsonValue | undefined): number | null {
  const [a, b] = [wholeNumber(from), wholeNumber(to)]
  return a === null || b === null ? null : Number(b - a)
}

export function wholeNumber(value: JsonValue | undefined): bigint | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null
  if (typeof value === 'string') return /^-?\d+$/.test(value) ? BigInt(value) : null
  if (typeof value === 'object' && value !== null && 'integer' in value)
    return wholeNumber((value as { readonly integer: JsonValue }).integer)
  return null
}

function ratio(x: bigint | number, a: bigint | number, b: bigint | number): number {
  // Of like kinds: big numbers are subtracted exactly before they are rounded.
  const minus = (one: bigint | number, other: bigint | number) =>
    typeof one === 'bigint' && typeof other === 'bigint' ? Number(one - other) : Number(one) - Number(other)
  return minus(x, a) / minus(b, a)
}

// uuid, and bytes.
function hexadecimal(value: JsonValue): bigint | null {
  if (typeof value === 'string') {
    return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value) ? BigInt(`0x${value.replaceAll('-', '')}`) : null
  }
  const blob = typeof value === 'object' && value !== null && 'blob' in value ? value.blob : null
  return typeof blob === 'string' && blob.length === 32 ? BigInt(`0x${blob}`) : null
}

function moment(value: JsonValue): number | null {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d/.test(value)) return null
  const ms = Date.parse(value)
  return Number.isFinite(ms) ? ms : null
}

function realNumber(value: JsonValue): number | null {
  if (typeof value === 'number') return value
  return typeof value === 'string' && /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(value) ? Number(value) : null
}

const COLLATOR = new Intl.Collator('en')

// As PostgreSQL's own estimates do (convert_string_to_scalar): behind the common beginning the letters are digits.
function shareOfText(from: string, to: string, value: string): number {
  // The order that the two themselves are in: by code as in the collation C, or as in a dictionary.
  const compare = from <= to ? compareByCode : COLLATOR.compare.bind(COLLATOR)
  if (compare(value, from) < 0) return -1
  if (compare(value, to) >= 0) return 1
  let same = 0
  while (same < from.length && from[same] === to[same] && from[same] === value[same]) same += 1
  const [a, b, x] = [from, to, value].map((text) => textAsNumber(text.slice(same))) as [number, number, number]
  return b > a ? Math.min(0.999, Math.max(0, (x - a) / (b - a))) : 0
}

function compareByCode(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const LETTERS = 4
const BASE = 128

function textAsNumber(text: string): number {
  let number = 0
  for (let index = 0; index < LETTERS; index += 1) {
    number = number * BASE + Math.min(BASE - 1, index < text.length ? text.charCodeAt(index) : 0)
  }
  return number
}
