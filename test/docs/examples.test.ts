import { expect, it } from 'vitest'
import { allExamples, typeErrorsOf } from './examples.js'

it('every example of the README, the guides and the doc comments compiles against the sources', () => {
  const examples = allExamples()
  expect(examples.some(({ path }) => path === 'README.md')).toBe(true)
  expect(examples.some(({ path }) => path.startsWith('src/'))).toBe(true)
  expect(typeErrorsOf(examples)).toEqual([])
})

it('an example that does not compile is found, with its file and line', () => {
  const wrong = { path: 'docs/wrong.md', line: 3, text: "\n\nimport { backfil } from 'evenkeel'\nbackfil()" }
  expect(typeErrorsOf([wrong])).toEqual([expect.stringMatching(/^docs\/wrong\.md:3: .*backfil/)])
})
