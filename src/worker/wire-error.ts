import * as evenkeel from '../index.js'

/** An error as data, for a structured clone keeps of a class only its message. */
export interface WireError {
  /** Of the class of Evenkeel that it is, or extends; null for all others. */
  readonly evenkeel: string | null
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  /** Its own members that can be cloned: `code`, `hint`, `updates`, a driver's `detail`, … */
  readonly members: Readonly<Record<string, unknown>>
  readonly cause: WireError | null
}

const MAX_CAUSES = 5

export function toWire(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) {
    return { evenkeel: null, name: 'Error', message: String(error), stack: undefined, members: {}, cause: null }
  }
  const members: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(error)) if (name !== 'name' && canBeCloned(value)) members[name] = value
  const { cause } = error
  return {
    evenkeel: classOf(error)?.name ?? null,
    name: error.name,
    message: error.message,
    stack: error.stack,
    members,
    cause: cause === undefined || depth >= MAX_CAUSES ? null : toWire(cause, depth + 1),
  }
}

/** The error again: of the same class when it is one of Evenkeel's, with its stack from the other thread. */
export function fromWire(wire: WireError): Error {
  const known = wire.evenkeel === null ? undefined : classNamed(wire.evenkeel)
  // Without the constructor, whose arguments nobody knows any more; everything that it set travels with the error.
  const error = known === undefined ? new Error(wire.message) : (Object.create(known.prototype) as Error)
  const hidden = { message: wire.message, stack: wire.stack, ...(wire.cause && { cause: fromWire(wire.cause) }) }
  for (const [name, value] of Object.entries(hidden)) {
    Object.defineProperty(error, name, { value, configurable: true, writable: true, enumerable: false })
  }
  return Object.assign(error, wire.members, { name: wire.name })
}

type ErrorClass = typeof evenkeel.EvenkeelError

function classOf(error: Error): ErrorClass | undefined {
  if (!(error instanceof evenkeel.EvenkeelError)) return undefined
  // A class of somebody else that extends one of ours becomes that one.
  for (let made = error.constructor; typeof made === 'function'; made = Object.getPrototypeOf(made) as typeof made) {
    const known = classNamed(made.name)
    if (known !== undefined && error instanceof known) return known
  }
  return evenkeel.EvenkeelError
}

function classNamed(name: string): ErrorClass | undefined {
  const value: unknown = Object.hasOwn(evenkeel, name) ? evenkeel[name as keyof typeof evenkeel] : undefined
  if (value === evenkeel.EvenkeelError) return evenkeel.EvenkeelError
  return typeof value === 'function' && value.prototype instanceof evenkeel.EvenkeelError
    ? (value as ErrorClass)
    : undefined
}

function canBeCloned(value: unknown): boolean {
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}
