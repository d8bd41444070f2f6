import { EvenkeelError } from 'evenkeel'
import fc from 'fast-check'

/** How many inputs a suite makes, as a share of the whole run: `npm run test:fuzz -- --inputs 100000 --seed 1`. */
export function inputs(share: number): number {
  return Math.ceil(Number(process.env.EVENKEEL_FUZZ_INPUTS ?? 20_000) * share)
}

const { EVENKEEL_SEED } = process.env
export const seed = EVENKEEL_SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(EVENKEEL_SEED)

/** Runs a check over `count` inputs; says how many they are, and fails with every different finding. */
export async function fuzz<T>(
  name: string,
  count: number,
  input: fc.Arbitrary<T>,
  check: (input: T) => Promise<void> | void,
): Promise<void> {
  findings.clear()
  // First, so that a run that hangs can be repeated too.
  console.info(`fuzz: ${count} inputs for ${name}, EVENKEEL_SEED=${seed}`)
  const details = await fc.check(
    fc.asyncProperty(input, async (value) => check(value)),
    { seed, numRuns: count, endOnFailure: true },
  )
  const { errorInstance } = details
  if (details.failed) throw new Error(`${name}: ${labelOf(errorInstance)}`, { cause: errorInstance })
  if (findings.size > 0) throw new Error(`${name}: ${findings.size} findings\n\n${[...findings.values()].join('\n\n')}`)
}

// The first of each kind, by the place where it was thrown.
const findings = new Map<string, string>()

/**
 * Runs what was given a hostile input. It may work, or it must refuse with a typed error; anything else is a finding.
 * Resolves to what it returned, or undefined.
 */
export async function typed<T>(what: () => string, work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (isTyped(error)) return undefined
    const label = labelOf(error)
    const place = label.split('\n').find((line) => line.includes('/src/')) ?? label.slice(0, 80)
    if (!findings.has(place)) findings.set(place, `${what()}: ${label}`)
    return undefined
  }
}

export function isTyped(error: unknown): error is EvenkeelError {
  return (
    error instanceof EvenkeelError &&
    /^[A-Z][A-Z_]+$/.test(error.code) &&
    error.message !== '' &&
    error.message.length < 100_000 &&
    error.hint !== ''
  )
}

function labelOf(error: unknown): string {
  try {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  } catch {
    return 'something that can not be shown'
  }
}
