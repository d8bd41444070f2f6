import { expect, it } from 'vitest'
import { Output } from '../../src/cli/output/output.js'
import { PlainView } from '../../src/cli/run/plain-view.js'
import type { DatabaseStatus, Waiting } from '../../src/index.js'

/** What the view prints when an update waits for these reasons, one look after the other. */
async function said(...reasons: readonly (Waiting | null)[]): Promise<string[]> {
  const lines: string[] = []
  const stream = { write: (text: string) => lines.push(text.trimEnd()) }
  const view = new PlainView(new Output({ stdout: stream, stderr: stream, environment: {}, color: false }), false)
  for (const waiting of reasons) {
    const updates = [{ name: 'walk', state: 'queued', waiting }]
    await view.look('main', { updates } as unknown as DatabaseStatus)
  }
  return lines
}

it('says the whole of what a person wrote, whatever words are in it', async () => {
  const paused = (why: string): Waiting => ({ code: 'paused', text: `paused by root: ${why}` })
  const reasons = [
    'do not resume until Monday, ask Anna',
    'until 2026-01-01T00:00:00Z it is frozen',
    'until 2027-01-01T',
  ]
  expect(await said(...reasons.map(paused))).toEqual(reasons.map((why) => `walk: paused by root: ${why}`))
})

it('says a wait once, though its end moves, and again when it is another', async () => {
  const held = (owner: string, second: number, waits = ''): Waiting => ({
    code: 'held',
    text: `held by ${owner} until 2026-07-27T10:00:0${second}.000Z${waits}`,
  })
  expect(await said(held('a:1:x', 1), held('a:1:x', 2), held('a:1:x', 3, '; it waits: duty 0.5'))).toEqual([
    'walk: held by a:1:x until 2026-07-27T10:00:01.000Z',
  ])
  expect(await said(held('a:1:x', 1), held('b:2:y', 2), null, held('b:2:y', 3))).toHaveLength(3)
  const throttled = (lag: number): Waiting => ({
    code: 'throttled',
    text: `replica lag ${lag} s until it is below 2 s`,
  })
  expect(await said(throttled(3), throttled(4.5))).toEqual(['walk: replica lag 3 s until it is below 2 s'])
})
