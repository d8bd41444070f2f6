import fc from 'fast-check'
import type { PaceContext, Reading } from 'evenkeel'

/** A gauge near or far from its limit. */
export function gauge(signal: string, utilisation: number, more: Partial<Reading> = {}): Reading {
  const verdict = utilisation > 1 ? 'pressure' : 'calm'
  const why = `${signal} is at ${utilisation} of its limit`
  return { signal, kind: 'gauge', value: utilisation, utilisation, verdict, why, lastReadMs: 0, ...more }
}

/** A hard stop and what it says. */
export function hardStop(signal: string, verdict: Reading['verdict'], lastReadMs: number | null = 0): Reading {
  return { signal, kind: 'hard stop', value: null, verdict, why: `${signal} says ${verdict}`, lastReadMs }
}

/** Whether somebody else works. */
export function foreground(present: boolean, lastReadMs = 0): Reading {
  const value = present ? 120 : 0.3
  const why = present ? 'others are at work' : 'nobody else is at work'
  const utilisation = present ? 0.7 : 0.1
  const verdict = present ? 'pressure' : 'calm'
  return { signal: 'foreground', kind: 'gauge', value, utilisation, verdict, why, lastReadMs }
}

export function context(nowMs: number, readings: readonly Reading[], more: Partial<PaceContext> = {}): PaceContext {
  return {
    updateName: 'walk',
    nowMs,
    epochMs: Date.UTC(2026, 0, 1) + nowMs,
    targetMs: 100,
    readings,
    signals: readings.map(({ signal }) => signal),
    lanes: 1,
    dialect: 'postgres',
    ...more,
  }
}

/** Readings as odd as signals of an application could make them. */
export const anyReading: fc.Arbitrary<Reading> = fc.record(
  {
    signal: fc.constantFrom('foreground', 'lock waiters', 'wal rate', 'active backends', 'wal bytes', 'p99', 'lag'),
    kind: fc.constantFrom('gauge', 'hard stop'),
    value: fc.oneof(fc.constant(null), fc.double()),
    utilisation: fc.oneof(fc.double(), fc.double({ min: 0, max: 2, noNaN: true })),
    verdict: fc.constantFrom('calm', 'pressure', 'stop', 'unknown'),
    why: fc.constantFrom('as measured', 'no rights'),
    lastReadMs: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 200_000 })),
  },
  { requiredKeys: ['signal', 'kind', 'value', 'verdict', 'why', 'lastReadMs'] },
)
