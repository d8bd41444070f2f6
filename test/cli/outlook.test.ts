import { describe, expect, it } from 'vitest'
import { outlookOf } from '../../src/cli/run/outlook.js'
import type { DatabaseStatus, UpdateStatus, WaitingCode } from '../../src/index.js'

function update(name: string, code: WaitingCode | null, dependsOn: string[] = []): UpdateStatus {
  return {
    name,
    state: code === 'failed' ? 'failed' : 'queued',
    ordering: 0,
    dependsOn,
    oneShot: false,
    progress: {},
    fraction: null,
    phase: null,
    detail: null,
    items: 0,
    batches: 0,
    failures: 0,
    batchSize: null,
    itemsPerSecond: null,
    etaSeconds: null,
    waiting: code === null ? null : { code, text: code },
    lastError: null,
    owner: null,
    lanes: [],
    performance: {
      totalItems: 0,
      totalDurationMs: 0,
      averageItemsPerMs: null,
      totalItemsPerMs: null,
      batches: 0,
      failures: 0,
    },
  }
}

function status(...updates: UpdateStatus[]): DatabaseStatus {
  return { status: 'NOT_STARTED', statusCode: 1, enabled: true, disabled: null, current: null, updates }
}

describe('the outlook of a queue', () => {
  it.each([
    ['nothing queued', status(), 'empty'],
    ['one that can run', status(update('a', null)), 'working'],
    ['one that backs off beside one that failed', status(update('a', 'backs_off'), update('b', 'failed')), 'working'],
    [
      'all failed, paused, without handler',
      status(update('a', 'failed'), update('b', 'paused'), update('c', 'no_handler')),
      'stuck',
    ],
    ['one that waits for a failed one', status(update('a', 'failed'), update('b', 'waits_for', ['a'])), 'stuck'],
    ['held elsewhere, and one that waits for it', status(update('a', 'held'), update('b', 'waits_for', ['a'])), 'held'],
    ['held elsewhere beside a failed one', status(update('a', 'held'), update('b', 'failed')), 'held'],
    ['held elsewhere beside one that can run', status(update('a', 'held'), update('b', null)), 'working'],
    ['a controller that is waited for', status(update('a', 'controller')), 'working'],
  ] as const)('%s', (_, given, kind) => expect(outlookOf(given, null).kind).toBe(kind))

  it('is of the named ones and what they depend on, where names are given', () => {
    const queue = status(update('a', 'failed'), update('b', 'waits_for', ['a']), update('c', null))
    expect(outlookOf(queue, ['b'])).toMatchObject({ kind: 'stuck', updates: [{ name: 'a' }] })
    expect(outlookOf(queue, ['c']).kind).toBe('working')
    expect(outlookOf(queue, ['gone']).kind).toBe('empty')
  })

  it('names who switched the updates off', () => {
    const off = { ...status(update('a', null)), enabled: false, disabled: { by: 'ann', reason: 'sale' } }
    expect(outlookOf(off as DatabaseStatus, null)).toMatchObject({ kind: 'disabled', by: 'ann', reason: 'sale' })
  })
})
