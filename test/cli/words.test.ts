import { describe, expect, it } from 'vitest'
import { afterPause, afterResume, afterRetry } from '../../src/cli/output/control-words.js'
import { historyLines } from '../../src/cli/output/history-text.js'
import { shellLogger } from '../../src/cli/output/shell-logger.js'
import { styles } from '../../src/cli/output/style.js'
import { explainUpdate } from '../../src/explain.js'
import type { HistoryEntry, UpdateStatus, WaitingCode } from '../../src/index.js'

function update(
  state: UpdateStatus['state'],
  code: WaitingCode | null = null,
  text: string = code ?? '',
): UpdateStatus {
  const waiting = code === null ? null : { code, text }
  return { name: 'walk', state, waiting, lastError: null, batchSize: null } as UpdateStatus
}

const queued = update('queued')
const failed = update('failed', 'failed')
const paused = update('paused', 'paused', 'paused by ann: sale')

describe('control words', () => {
  it.each([
    ['pause', afterPause(paused), 0, 'paused'],
    ['pause of a failed one', afterPause(failed), 4, "is failed, which a pause doesn't change: retry or cancel it"],
    ['resume', afterResume(paused, queued), 0, 'resumed'],
    ['resume of a queued one', afterResume(queued, queued), 0, 'was not paused; it is queued'],
    [
      'resume of a failed one',
      afterResume(failed, failed),
      4,
      "is failed, which a resume doesn't change: retry or cancel it",
    ],
    ['retry', afterRetry(failed, queued, false), 0, 'will be tried again'],
    ['retry of a queued one', afterRetry(queued, queued, false), 0, 'had not failed; it is queued'],
    [
      'retry of one that backs off',
      afterRetry({ ...queued, lastError: 'boom' }, queued, false),
      0,
      'will be tried again',
    ],
    [
      'retry of a paused one',
      afterRetry(paused, paused, false),
      4,
      'stays paused by ann: sale. Its failures are cleared; resume it to have it tried again',
    ],
    [
      'retry of one that has finished, for the rows set aside',
      afterRetry(undefined, queued, true),
      0,
      'will be tried again, with the rows that were set aside',
    ],
    ['what has ended meanwhile', afterPause(undefined), 0, 'has left the queue meanwhile: see `evenkeel history`'],
  ])('%s', (_, outcome, exitCode, words) => expect(outcome).toEqual({ exitCode, words }))
})

describe('the log of the shell', () => {
  function logged(details: object, message: string): string {
    const lines: string[] = []
    shellLogger((line) => lines.push(line), styles(false), false).error(details, message)
    return lines.join('\n')
  }

  it('has the key and the error of a row that is set aside', () => {
    const error = new Error('no such country')
    expect(logged({ update: 'walk', key: ['7'], error }, 'a row failed and is set aside')).toBe(
      'error walk: a row failed and is set aside (key ["7"], no such country)',
    )
  })

  it('has the progress at which a batch began and what caused its failure, once', () => {
    const cause = Object.assign(new Error('duplicate key'), { code: '23505' })
    const error = new Error('row 7 failed: it is odd', { cause: new Error('it is odd', { cause }) })
    const details = { update: 'walk', progress: { id: 100n }, attempts: 2, error }
    expect(logged(details, `batch failed: ${error.message}`)).toBe(
      'error walk: batch failed: row 7 failed: it is odd ' +
        '(SQLSTATE 23505, attempt 2, began at {"id":"100"}, caused by: duplicate key)',
    )
    expect(logged({ progress: { text: 'x'.repeat(10_000) } }, 'batch failed').length).toBeLessThan(400)
    expect(logged({ progress: null }, 'batch failed')).toBe('error batch failed')
  })
})

it('history: a reason without anybody stands alone', () => {
  const entry = {
    finishedAt: '2026-01-01T00:00:00.000Z',
    name: 'walk',
    outcome: 'not applicable',
    items: 0,
    batches: 1,
  }
  const lines = (finishedBy: string | null) =>
    historyLines(
      { main: [{ ...entry, busyMs: 0, failures: 0, finishedBy, reason: 'for SQLite' } as HistoryEntry] },
      styles(false),
    ).join('\n')
  expect(lines(null)).toMatch(/ {2}for SQLite$/)
  expect(lines('ann')).toMatch(/ann: for SQLite$/)
})

it('why: has the remedy of what does not end by itself', () => {
  const pace = { decisions: [], waitedSeconds: {} } as unknown as Parameters<typeof explainUpdate>[1]['pace']
  const words = (status: UpdateStatus, nobodyRuns: boolean) =>
    explainUpdate(status, { pace, tuner: [], settings: [], nobodyRuns }).words.slice(1)
  expect(words(failed, false)).toEqual([expect.stringContaining('`evenkeel retry walk`')])
  expect(words(paused, true)).toEqual(['`evenkeel resume walk` lets it go on'])
  expect(words(queued, true)).toEqual([expect.stringContaining('`evenkeel run`')])
  expect(words(queued, false)).toEqual([])
})
