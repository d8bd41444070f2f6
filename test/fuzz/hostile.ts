import fc from 'fast-check'

/** Values that nobody expects. Each is made anew, so that one that was changed doesn't spoil the next. */
const MAKERS: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  false: () => false,
  0: () => 0,
  '-0': () => -0,
  1: () => 1,
  '-1': () => -1,
  1.5: () => 1.5,
  NaN: () => Number.NaN,
  Infinity: () => Infinity,
  '2**31': () => 2 ** 31,
  '2**53': () => 2 ** 53,
  '1e308': () => 1e308,
  '10n': () => 10n,
  '2n**70n': () => 2n ** 70n,
  symbol: () => Symbol('hostile'),
  date: () => new Date(0),
  'invalid date': () => new Date(Number.NaN),
  buffer: () => Buffer.from([0, 255]),
  map: () => new Map([['a', 1]]),
  set: () => new Set([1]),
  regexp: () => /x/,
  error: () => new Error('hostile'),
  function: () => () => 1,
  'throwing function': () => () => {
    throw new Error('hostile')
  },
  'boxed string': () => new String('name'),
  'boxed number': () => new Number(1),
  array: () => [],
  'array of null': () => [null],
  'array of arrays': () => [[['a']]],
  'array of names twice': () => ['a', 'a'],
  'sparse array': () => new Array<unknown>(3),
  'long array': () => Array.from({ length: 20_000 }, (_, index) => index),
  object: () => ({}),
  'object without prototype': () => Object.create(null) as object,
  'object of null': () => ({ a: null, name: null }),
  'own __proto__': () =>
    JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}') as object,
  'toString throws': () => ({
    toString() {
      throw new Error('hostile')
    },
  }),
  'toJSON throws': () => ({
    toJSON() {
      throw new Error('hostile')
    },
  }),
  'then throws': () => ({
    get name() {
      throw new Error('hostile getter')
    },
  }),
  'every getter throws': () =>
    Object.defineProperties(
      {},
      Object.fromEntries(
        ['name', 'table', 'schema', 'columns', 'column', 'a', 'kind', 'length', 'tx', 'step'].map((key) => [
          key,
          {
            enumerable: true,
            get() {
              throw new Error('hostile getter')
            },
          },
        ]),
      ),
    ),
  'proxy that throws': () =>
    new Proxy(
      {},
      Object.fromEntries(
        ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'].map((trap) => [
          trap,
          () => {
            throw new Error('hostile trap')
          },
        ]),
      ),
    ),
  'proxy that answers all': () =>
    new Proxy(function () {}, { get: (_target, key) => (key === 'then' ? undefined : 'x') }),
  'revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  'revoked array': () => {
    const { proxy, revoke } = Proxy.revocable([], {})
    revoke()
    return proxy
  },
  cycle: () => {
    const cycle: Record<string, unknown> = { a: 1 }
    cycle.self = cycle
    return cycle
  },
  'cyclic array': () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    return cycle
  },
  'deep object': () => deep(100_000, (inner) => ({ a: inner })),
  'deep array': () => deep(100_000, (inner) => [inner]),
  'wide object': () => Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`k${index}`, index])),
}

function deep(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level += 1) value = wrap(value)
  return value
}

/** Names and other texts that break what is careless with them. */
export const TEXTS: readonly string[] = [
  '',
  ' ',
  ' padded ',
  'a,b',
  'a.b',
  'say "hi"',
  "it's",
  'back\\slash',
  'percent%s_',
  'nul\0inside',
  'line\nbreak',
  '-- comment',
  '/* comment */',
  '$1',
  '$$',
  '"; DROP TABLE sentinel; --',
  "'); DROP TABLE sentinel; --",
  '`; DROP TABLE sentinel',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '😀',
  '😀'.repeat(20),
  'x'.repeat(63),
  'x'.repeat(64),
  'ü'.repeat(40),
  'x'.repeat(10_000),
  '\ud800',
  'a\udc00b',
  '\u202egnirts',
  '\ufeffbom',
  'SELECT',
  'user',
  'Ünï Cödé',
  '0',
  '-1',
  'NaN',
  'null',
  '{}',
  '[',
  '{"a":1}',
]

/** One hostile value, shown by its name. */
export interface Hostile {
  readonly label: string
  readonly make: () => unknown
}

const text = fc.oneof(
  { arbitrary: fc.constantFrom(...TEXTS), weight: 3 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 12 }), weight: 1 },
)

export const hostileText: fc.Arbitrary<string> = text

export const hostile: fc.Arbitrary<Hostile> = fc.oneof(
  { arbitrary: fc.constantFrom(...Object.entries(MAKERS)).map(([label, make]) => ({ label, make })), weight: 3 },
  { arbitrary: text.map((value) => ({ label: JSON.stringify(value), make: () => value })), weight: 1 },
  { arbitrary: fc.anything().map((value) => ({ label: fc.stringify(value), make: () => value })), weight: 1 },
)

/** Where in the arguments a hostile value goes. */
export interface Mutation {
  readonly at: number
  /** Adds an option of this name instead of changing one. */
  readonly extra: string | null
  readonly value: Hostile
}

export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(
  fc.record({
    at: fc.nat(),
    extra: fc.option(text, { freq: 12 }),
    value: hostile,
  }),
  { minLength: 1, maxLength: 2 },
)

/** Arguments that work, with hostile values put into them. Only plain objects and arrays are gone into. */
export function mutate(args: readonly unknown[], changes: readonly Mutation[]): unknown[] {
  const root = { args: [...args] }
  for (const { at, extra, value } of changes) {
    const places = placesIn(root.args)
    const place = places[at % places.length]
    if (place === undefined) continue
    if (extra === null) place.holder[place.key] = value.make()
    else if (isPlain(place.holder) && !Array.isArray(place.holder)) define(place.holder, extra, value.make())
  }
  return root.args
}

export function labelOf(changes: readonly Mutation[]): string {
  return changes.map(({ at, extra, value }) => `${extra ?? `#${at}`}: ${value.label.slice(0, 200)}`).join(', ')
}

interface Place {
  readonly holder: Record<string, unknown>
  readonly key: string
}

function placesIn(args: unknown[]): Place[] {
  const places: Place[] = []
  const visit = (holder: Record<string, unknown>, depth: number) => {
    for (const key of Object.keys(holder)) {
      places.push({ holder, key })
      const value = holder[key]
      if (depth < 4 && isPlain(value)) visit(value, depth + 1)
    }
  }
  visit(args as unknown as Record<string, unknown>, 0)
  return places
}

function define(holder: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true })
}

// Only what the valid arguments are made of: whatever a hostile value is, it is left as it is.
function isPlain(value: unknown): value is Record<string, unknown> {
  try {
    if (typeof value !== 'object' || value === null || Object.keys(value).length > 50) return false
    if (Array.isArray(value)) return Object.keys(value).length === value.length
    const descriptors = Object.values(Object.getOwnPropertyDescriptors(value))
    return Object.getPrototypeOf(value) === Object.prototype && descriptors.every((each) => each.writable === true)
  } catch {
    return false
  }
}
