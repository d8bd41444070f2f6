import { expect, it } from 'vitest'
import { changeProblems } from '../../src/live/setting-keys.js'

const problemsOf = (lanes: number | string) => changeProblems('lanes', lanes, null, 'postgres')

it.each([1, 2, 64])('lanes may be set to %j', (lanes) => {
  expect(problemsOf(lanes)).toEqual([])
})

it.each([0, -1, 2.5, 65, 1_000, '3'])('lanes can’t be set to %j while updates run, as the option can’t', (lanes) => {
  expect(problemsOf(lanes)).toEqual([`lanes must be a whole number from 1 to 64, not ${JSON.stringify(lanes)}`])
})

it('more than one lane is refused on SQLite, as the option is', () => {
  expect(changeProblems('lanes', 1, null, 'sqlite')).toEqual([])
  expect(changeProblems('lanes', 2, 'x', 'sqlite')).toEqual([
    'lanes must be 1, not 2: SQLite has one writer, so a walk there has one lane',
  ])
})
