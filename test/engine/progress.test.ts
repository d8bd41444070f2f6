import type { ProgressSchema } from 'evenkeel'
import { describe, expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { installed, jumpingClock, update } from './support.js'

const cyclic: Record<string, unknown> = { name: 'me' }
cyclic.self = { list: [cyclic] }

const NOT_JSON: [string, unknown, string][] = [
  ['BigInt', { a: { id: 1n } }, 'progress.a.id'],
  ['Date', { list: [1, new Date()] }, 'progress.list[1]'],
  ['Buffer', { key: Buffer.from('x') }, 'progress.key'],
  ['Uint8Array', { key: new Uint8Array(1) }, 'progress.key'],
  ['NaN', { rate: NaN }, 'progress.rate'],
  ['Infinity', { rate: Infinity }, 'progress.rate'],
  ['-0', { rate: -0 }, 'progress.rate'],
  ['undefined', { gone: undefined }, 'progress.gone'],
  ['a function', { call: () => {} }, 'progress.call'],
  ['a symbol', { s: Symbol('s') }, 'progress.s'],
  ['a Map', { map: new Map() }, 'progress.map'],
  ['a boxed number', { n: Object(1) as unknown }, 'progress.n'],
  ['a sparse array', { list: Array(2) }, 'progress.list[0]'],
  ['toJSON', { o: { toJSON: () => 1 } }, 'progress.o'],
  ['a cycle', cyclic, 'progress.self.list[0]'],
  ['an array itself', [], 'progress'],
  ['a text itself', 'x', 'progress'],
]

describeDatabases('progress', ({ fresh }) => {
  it('what JSON cannot hold is a typed error that names the key, from a batch and from enqueue', async () => {
    const clock = jumpingClock()
    let returned: unknown
    const bad = update('bad', async () => ({ items: 1, progress: returned }), { maxAttempts: 1_000 })
    const updater = await installed(await fresh(), { updates: [bad], clock })
    const errors: Error[] = []
    updater.on('batch:failure', ({ error }) => errors.push(error))
    for (const [name, progress, path] of NOT_JSON) {
      const refusal = { name: 'InvalidProgressError', code: 'INVALID_PROGRESS', path }
      await expect(updater.enqueue(bad, { progress: progress as never }), name).rejects.toMatchObject(refusal)
      await updater.enqueue(bad)
      returned = progress
      await updater.runNextBatch()
      expect(errors.at(-1), name).toMatchObject({ ...refusal, message: expect.stringContaining(path) as string })
      expect((await updater.databaseStatus()).updates).toMatchObject([{ progress: {}, failures: 1, batches: 0 }])
      await updater.cancel(bad)
      clock.pass(60_000)
    }
    expect(errors).toHaveLength(NOT_JSON.length)
  })

  it('everything that JSON holds comes back exactly', async () => {
    const wide = {
      id: '9007199254740993',
      at: '2026-01-01T00:00:00.123456Z',
      list: [null, true, 1e-7, 'ä\u0000\ud800', { '': {} }],
    }
    const withProto = JSON.parse('{"__proto__":{"x":1}}') as object
    const seen: unknown[] = []
    const exact = update('exact', async ({ progress }) => {
      seen.push(progress)
      return { items: 1, progress: seen.length === 1 ? wide : withProto, done: seen.length === 3 }
    })
    const updater = await installed(await fresh(), { updates: [exact] })
    await updater.enqueue(exact)
    await updater.runToCompletion()
    expect(seen[1]).toEqual(wide)
    expect(JSON.stringify(seen[2])).toBe('{"__proto__":{"x":1}}')
  })

  it.each(['xx', '[]', '"text"', 'null', '7', ''])(
    'a row whose progress_json is %j fails at once with what to do',
    async (text) => {
      const database = await fresh()
      const fine = update('fine', async () => ({ items: 1, done: true }))
      const updater = await installed(database, { updates: [fine] })
      await database.query("INSERT INTO background_updates (update_name, progress_json) VALUES ('fine', $1)", [text])
      expect(await updater.runNextBatch()).toEqual({ ran: 'fine', complete: false })
      const [row] = (await updater.databaseStatus()).updates
      expect(row).toMatchObject({
        state: 'failed',
        failures: 1,
        progress: {},
        lastError: expect.stringContaining('progress_json') as string,
      })
      await database.query("UPDATE background_updates SET progress_json = '{}'")
      await updater.retry('fine')
      expect(await updater.runNextBatch()).toEqual({ ran: 'fine', complete: true })
    },
  )

  describe('with a Standard Schema', () => {
    const schema: ProgressSchema<{ last: number }> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        async validate(value) {
          const { last } = value as { last?: unknown }
          if (last === undefined) return { value: { last: 0 } }
          return typeof last === 'number'
            ? { value: { last } }
            : { issues: [{ message: 'must be a number', path: [{ key: 'last' }] }] }
        },
      },
    }

    it('hands over what the schema made of it', async () => {
      const seen: unknown[] = []
      const walk = update('walk', async ({ progress }) => (seen.push(progress), { items: 1, done: true }), {
        schema: schema,
      })
      const updater = await installed(await fresh(), { updates: [walk] })
      await updater.enqueue(walk)
      await updater.runToCompletion()
      expect(seen).toEqual([{ last: 0 }])
    })

    it('fails a row that does not fit, naming the key', async () => {
      const walk = update('walk', async () => ({ items: 1, done: true }), { schema: schema })
      const updater = await installed(await fresh(), { updates: [walk] })
      await updater.enqueue(walk, { progress: { last: 'x' } })
      await updater.runNextBatch()
      expect((await updater.databaseStatus()).updates).toMatchObject([
        { state: 'failed', lastError: expect.stringContaining('last: must be a number') as string },
      ])
    })

    it('refuses new progress that would not open again, before it is committed', async () => {
      const clock = jumpingClock()
      let calls = 0
      const walk = update(
        'walk',
        async () => ({ items: 1, progress: { last: (calls += 1) === 1 ? 'x' : 5 }, done: calls === 3 }),
        {
          schema: schema,
        },
      )
      const updater = await installed(await fresh(), { updates: [walk], clock })
      const errors: Error[] = []
      updater.on('batch:failure', ({ error }) => errors.push(error))
      await updater.enqueue(walk)
      await updater.runToCompletion()
      expect(errors).toMatchObject([
        { code: 'INVALID_PROGRESS', path: 'progress.last', hint: expect.stringContaining('`schema`') as string },
      ])
    })

    it.each([
      ['no issue', [], "progress doesn't fit its schema"],
      ['an issue without a word', [{ path: ['last'] }], "progress.last doesn't fit its schema"],
    ])('says of a schema that gives %s what can be said', async (_, issues, words) => {
      const validate = (value: unknown) =>
        (value as { last?: unknown }).last === undefined ? { value: { last: 0 } } : { issues }
      const mute = { '~standard': { ...schema['~standard'], validate } }
      const walk = update('walk', async () => ({ items: 1, progress: { last: 1 } }), { schema: mute as never })
      const updater = await installed(await fresh(), { updates: [walk] })
      const errors: Error[] = []
      updater.on('batch:failure', ({ error }) => errors.push(error))
      await updater.enqueue(walk)
      await updater.runNextBatch()
      expect(errors.map(({ message }) => message)).toEqual([`update "walk": ${words}`])
    })
  })
})
