import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { explainQueue, needsPerson, rootsNeedingPerson } from '../../src/queue/reasons.js'
import { parseDependsOn, type QueueRow } from '../../src/queue/row.js'

function row(name: string, rest: Partial<QueueRow> = {}): QueueRow {
  return {
    name,
    ordering: 0,
    dependsOn: [],
    state: 'queued',
    stateBy: null,
    stateReason: null,
    attempts: 0,
    lastError: null,
    backsOffUntil: null,
    holder: null,
    waitingText: null,
    laneCount: 0,
    hasFreeLane: false,
    ...rest,
  }
}

const ALL = { owner: 'me', hasHandler: () => true }

describe('why updates wait', () => {
  it.each([
    [row('a', { dependsOn: ['b', 'gone', 'c'] }), 'waits_for', 'waits for b, c'],
    [row('stranger'), 'no_handler', 'no handler in this process'],
    [row('a', { dependsOn: ['a'] }), 'dependency_cycle', 'dependency cycle a → a'],
    [row('a', { state: 'failed', attempts: 5, lastError: 'boom' }), 'failed', 'failed 5 times: boom'],
    [row('a', { waitingText: 'replica b is 7 s behind' }), 'throttled', 'replica b is 7 s behind'],
    [row('a', { backsOffUntil: '2026-01-01T00:00:00.000Z' }), 'backs_off', 'backs off until 2026-01-01T00:00:00.000Z'],
    [row('a', { holder: { owner: 'h:1:x', until: 'T' } }), 'held', 'held by h:1:x until T'],
    [row('a', { state: 'paused', stateBy: 'ann', stateReason: 'why' }), 'paused', 'paused by ann: why'],
    [row('a', { state: 'paused' }), 'paused', 'paused'],
  ] as const)('%#: $1', (subject, code, text) => {
    const rows = [subject, row('b'), row('c')]
    const reasons = explainQueue(rows, { owner: 'me', hasHandler: (name) => name !== 'stranger' })
    expect(reasons.get(subject.name)).toEqual({ code, text })
  })

  it('our own lease is no reason', () => {
    expect(explainQueue([row('a', { holder: { owner: 'me', until: 'T' } })], ALL).size).toBe(0)
  })

  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  const arbitraryQueue = fc
    .uniqueArray(fc.constantFrom(...names), { minLength: 1 })
    .chain((queued) =>
      fc.tuple(
        ...queued.map((name) =>
          fc.uniqueArray(fc.constantFrom(...names), { maxLength: 3 }).map((dependsOn) => row(name, { dependsOn })),
        ),
      ),
    )

  /** Whether `to` can be reached from `from` over queued dependencies, by trying every step. */
  function reaches(rows: readonly QueueRow[], from: string, to: string, seen = new Set<string>()): boolean {
    const dependsOn = rows.find(({ name }) => name === from)?.dependsOn ?? []
    return dependsOn.some((name) => {
      if (seen.has(name) || !rows.some((each) => each.name === name)) return false
      seen.add(name)
      return name === to || reaches(rows, name, to, seen)
    })
  }

  it('a second cycle through an update that is in one already is found too', () => {
    const rows = [row('c', { dependsOn: ['b', 'a'] }), row('a', { dependsOn: ['b'] }), row('b', { dependsOn: ['c'] })]
    const reasons = explainQueue(rows, ALL)
    expect([...reasons.values()].map(({ text }) => text).sort()).toEqual([
      'dependency cycle a → b → c → a',
      'dependency cycle b → c → b',
      'dependency cycle c → b → c',
    ])
  })

  it('a cycle that is told is one, and every update in a cycle comes to a person in the end', () => {
    fc.assert(
      fc.property(arbitraryQueue, (rows) => {
        const reasons = explainQueue(rows, ALL)
        const byName = new Map(rows.map((each) => [each.name, each]))
        for (const { name } of rows) {
          const reason = reasons.get(name)
          if (reason?.code === 'dependency_cycle') {
            const members = reason.text.replace('dependency cycle ', '').split(' → ')
            expect(members[0]).toBe(name)
            expect(members.at(-1)).toBe(name)
            members.slice(1).forEach((to, index) => {
              expect(byName.get(members[index] ?? '')?.dependsOn).toContain(to)
            })
          }
          const stuck = rows.some(
            (each) => (each.name === name || reaches(rows, name, each.name)) && reaches(rows, each.name, each.name),
          )
          expect(rootsNeedingPerson(name, byName, reasons).length > 0).toBe(stuck)
        }
      }),
    )
  })

  it('without cycles, failures and pauses, something can always run', () => {
    fc.assert(
      fc.property(arbitraryQueue, (rows) => {
        const order = new Map(rows.map(({ name }, index) => [name, index]))
        const acyclic = rows.map((each, index) => ({
          ...each,
          dependsOn: each.dependsOn.filter((name) => (order.get(name) ?? -1) < index),
        }))
        const reasons = explainQueue(acyclic, ALL)
        expect(acyclic.some(({ name }) => !reasons.has(name))).toBe(true)
        expect([...reasons.values()].some(({ code }) => needsPerson(code))).toBe(false)
      }),
    )
  })

  it('a chain of 100 000 updates overflows no stack', () => {
    const rows = Array.from({ length: 100_000 }, (_, index) =>
      row(`u${index}`, { dependsOn: [`u${(index + 1) % 100_000}`] }),
    )
    expect(explainQueue(rows.slice(0, -1), ALL).get('u0')?.code).toBe('waits_for')
  })

  it('depends_on is names with commas between them, and blanks mean nothing', () => {
    expect(parseDependsOn(null)).toEqual([])
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z][a-z_ ]{0,8}[a-z]$/)),
        fc.array(fc.constantFrom('', ' ', ',', '\n')),
        (list, noise) => {
          expect(parseDependsOn([...list, ...noise].join(' ,'))).toEqual(list)
        },
      ),
    )
  })
})
