import * as evenkeel from 'evenkeel'
import * as betterSqlite3 from 'evenkeel/better-sqlite3'
import * as pg from 'evenkeel/pg'
import * as testing from 'evenkeel/testing'
import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../support/sqlite.js'
import { TARGETS } from './functions.js'
import { labelOf, mutate, mutations } from './hostile.js'
import { fuzz, inputs, typed } from './inputs.js'

it('every exported function is among those that are fuzzed', () => {
  const exported = [evenkeel, pg, betterSqlite3, testing].flatMap((module) =>
    Object.entries(module).flatMap(([name, value]: [string, unknown]) =>
      typeof value === 'function' && !(value.prototype instanceof Error) ? [name] : [],
    ),
  )
  expect(exported.filter((name) => TARGETS[name] === undefined)).toEqual([])
})

it.each(Object.entries(TARGETS))('%s takes what it was made for', async (_name, { valid, call }) => {
  await typed(
    () => 'valid arguments',
    () => call(...(valid() as never[])),
  )
})

it('the public functions refuse hostile arguments with typed errors', { timeout: 600_000 }, async () => {
  // A hostile text may be the name of a file.
  const before = process.cwd()
  process.chdir(temporaryDirectory())
  onTestFinished(() => process.chdir(before))
  const input = fc.tuple(fc.constantFrom(...Object.keys(TARGETS)), mutations)
  await fuzz('public functions', inputs(0.6), input, async ([name, changes]) => {
    const { valid, call } = TARGETS[name] ?? expect.fail()
    await typed(
      () => `${name}(${labelOf(changes)})`,
      () => call(...(mutate(valid(), changes) as never[])),
    )
  })
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})
