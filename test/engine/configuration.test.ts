import {
  backfill,
  BackgroundUpdater,
  BackgroundUpdaterGroup,
  ConfigurationError,
  defineUpdate,
  fixedPace,
  type Database,
} from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { memoryLogger } from './support.js'

function database(): Database<never> {
  const opened = fromBetterSqlite3(':memory:') as unknown as Database<never>
  onTestFinished(() => opened.close())
  return opened
}

const batch = async () => ({ items: 0, done: true })

function problemsOf(make: () => unknown): readonly string[] {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ code: 'CONFIGURATION', hint: expect.any(String) as string })
    return (error as ConfigurationError).problems
  }
  return []
}

describe('configuration', () => {
  const sizes = ['defaultBatchSize', 'minBatchSize', 'maxBatchSize', 'maxAttempts'] as const
  it.each(sizes)('%s is a whole number of at least 1, in the updater and in an update', (name) => {
    for (const value of [0, -1, 1.5, NaN, Infinity, '5', null, 5n, 2 ** 53]) {
      expect(
        problemsOf(() => new BackgroundUpdater({ database: database(), [name]: value })),
        String(value),
      ).toHaveLength(1)
      expect(
        problemsOf(() => defineUpdate({ name: 'u', batch, [name]: value })),
        String(value),
      ).toHaveLength(1)
    }
    expect(problemsOf(() => new BackgroundUpdater({ database: database(), [name]: 1 }))).toEqual([])
  })

  it.each(['targetMs', 'leaseMs', 'pollMs'] as const)('%s is a duration above 0', (name) => {
    for (const value of [0, -1, NaN, Infinity, '5', null]) {
      expect(
        problemsOf(() => new BackgroundUpdater({ database: database(), [name]: value })),
        String(value),
      ).toHaveLength(1)
    }
    expect(problemsOf(() => new BackgroundUpdater({ database: database(), [name]: 0.5 }))).toEqual([])
  })

  it('refuses lists with holes', () => {
    const hole = ["it can't be read: a list in it has a hole, an element that was left out"]
    const updates = new Array<never>(1)
    expect(problemsOf(() => new BackgroundUpdater({ database: database(), updates }))).toEqual(hole)
    expect(problemsOf(() => backfill({ name: 'walk', table: 'users', set: { a: '1' }, key: new Array(1) }))).toEqual(
      hole,
    )
  })

  it('every problem comes in one error', () => {
    const options = {
      database: {},
      updates: [defineUpdate({ name: 'twice', batch }), defineUpdate({ name: 'twice', batch }), {}, null],
      databaseName: '',
      targetMs: -1,
      defaultBatchSize: 0,
      minBatchSize: 10,
      maxBatchSize: 5,
      tuner: 'guarded',
      pace: {},
      maxAttempts: 0,
      onFailure: 'retry',
      leaseMs: 0,
      logger: { info() {} },
      clock: {},
      ownr: 'me',
    }
    const problems = problemsOf(() => new BackgroundUpdater(options as never))
    const all = problems.join('\n')
    expect(all).toContain('did you mean "owner"')
    expect(all).toContain('two updates are named "twice"')
    for (const name of [
      'database ',
      'updates[2]',
      'updates[3]',
      'databaseName',
      'targetMs',
      'defaultBatchSize',
      'minBatchSize (10)',
      'tuner',
      'pace',
      'maxAttempts',
      'onFailure',
      'leaseMs',
      'logger',
      'clock',
    ]) {
      expect(all).toContain(name)
    }
  })

  it.each([undefined, null, 5, 'x', {}])('options that are %j', (options) => {
    expect(problemsOf(() => new BackgroundUpdater(options as never))).not.toEqual([])
  })

  it.each(['', ' x', 'x ', 'a,b', 'a\0b', 'a\ud800', 5, null, undefined])('an update cannot be named %j', (name) => {
    expect(problemsOf(() => defineUpdate({ name: name as never, batch }))).not.toEqual([])
  })

  it('an update is checked whole, too', () => {
    const problems = problemsOf(() =>
      defineUpdate({ name: '', dependsOn: ['a,b'], ordering: 0.5, btch: batch, progress: [], on: 'mysql' } as never),
    )
    expect(problems.join('\n')).toContain('did you mean "batch"')
    expect(problems.length).toBeGreaterThanOrEqual(7)
    expect(problemsOf(() => defineUpdate({ name: 'u', oneShot: true, batch } as never)).join()).toContain(
      'run must be a function',
    )
    expect(problemsOf(() => defineUpdate(undefined as never))).not.toEqual([])
  })

  it('fixedPace takes milliseconds from 0', () => {
    for (const sleepMs of [-1, NaN, Infinity, '5', null])
      expect(
        problemsOf(() => fixedPace({ sleepMs } as never)),
        String(sleepMs),
      ).toHaveLength(1)
    expect(problemsOf(() => fixedPace({ sleepMS: 5 } as never)).join()).toContain('did you mean "sleepMs"')
    expect(problemsOf(() => fixedPace({ sleepMs: 0 }))).toEqual([])
  })

  it('a group has at least one updater, and a name of its own for each', () => {
    expect(problemsOf(() => new BackgroundUpdaterGroup([]))).toHaveLength(1)
    const updater = () => new BackgroundUpdater({ database: database() })
    expect(problemsOf(() => new BackgroundUpdaterGroup([updater(), updater()])).join()).toContain('"main"')
  })

  it('enqueue refuses options that make no sense', async () => {
    const updater = new BackgroundUpdater({ database: database(), logger: memoryLogger() })
    await updater.install()
    for (const options of [
      { ordering: 0.5 },
      { ordering: 2 ** 31 },
      { ifExists: 'replace' },
      { dependsOn: 5 },
      { dependsOn: ['a,b'] },
      { dependsOn: '' },
      { prgress: {} },
    ]) {
      await expect(updater.enqueue('a', options as never), JSON.stringify(options)).rejects.toMatchObject({
        code: 'CONFIGURATION',
      })
    }
    for (const name of ['', 'a,b', ' a', 5, null, {}]) {
      await expect(updater.enqueue(name as never), JSON.stringify(name)).rejects.toMatchObject({
        code: 'CONFIGURATION',
      })
    }
    await expect(updater.history({ limit: 0.5 })).rejects.toMatchObject({ code: 'CONFIGURATION' })
    expect(await updater.hasCompleted()).toBe(true)
  })
})
