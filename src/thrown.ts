import { describe } from './options.js'

/** What was thrown, as an Error: in JavaScript anything may be. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error(`${describe(thrown)} was thrown, which is no Error`, { cause: thrown })
}

/** What was thrown, in words. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
