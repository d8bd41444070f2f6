import { InvalidProgressError } from '../errors.js'
import { messageOf } from '../thrown.js'

// Deeper than any bookmark, and far from where JSON.stringify itself gives up.
const MAX_DEPTH = 500

/** Whether JSON is nested so deeply that writing it again could overflow the stack. `text` is what it was parsed from. */
export function isTooDeep(value: unknown, text: string): boolean {
  // Each level takes at least two characters.
  return text.length > 2 * MAX_DEPTH && isDeeperThan(value, MAX_DEPTH)
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((entry) => isDeeperThan(entry, levels - 1))
}

/**
 * Progress as JSON text, when JSON holds it exactly.
 *
 * @throws InvalidProgressError naming the key that would come back changed
 */
export function encodeProgress(updateName: string, progress: unknown): string {
  try {
    if (!isPlainObject(progress))
      throw new InvalidProgressError(updateName, 'progress', `is ${kindOf(progress)}, not a JSON object`)
    check(updateName, progress, 'progress', [])
    return JSON.stringify(progress)
  } catch (error) {
    if (error instanceof InvalidProgressError) throw error
    // A getter or a proxy.
    const reason = messageOf(error)
    throw new InvalidProgressError(updateName, 'progress', `can't be read: ${reason}`)
  }
}

function check(updateName: string, value: unknown, path: string, within: readonly object[]): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  // JSON writes -0 as 0.
  if (typeof value === 'number' && Number.isFinite(value) && !Object.is(value, -0)) return
  if (typeof value === 'object') {
    if (within.includes(value)) throw new InvalidProgressError(updateName, path, 'refers to what it is part of')
    if (within.length > MAX_DEPTH)
      throw new InvalidProgressError(updateName, path, `is nested more than ${MAX_DEPTH} deep`)
  }
  if (Array.isArray(value)) {
    const inside = [...within, value]
    for (let index = 0; index < value.length; index += 1) check(updateName, value[index], `${path}[${index}]`, inside)
    return
  }
  if (isPlainObject(value)) {
    const inside = [...within, value]
    for (const [key, entry] of Object.entries(value)) check(updateName, entry, `${path}.${key}`, inside)
    return
  }
  throw new InvalidProgressError(updateName, path, `is ${kindOf(value)}, which JSON can't hold exactly`)
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    (prototype === Object.prototype || prototype === null) && !('toJSON' in value && typeof value.toJSON === 'function')
  )
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  if (Array.isArray(value)) return 'an array'
  const name = (value.constructor as { name?: string } | undefined)?.name
  return name ? `a ${name}` : 'an object that JSON rewrites'
}
