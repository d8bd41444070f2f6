import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { RunResult } from '../../bench/report/results.js'

const ROOT = path.join(import.meta.dirname, '../..')
const run = promisify(execFile)

describe('the benchmark', () => {
  it('measures every contestant of the overhead in every round', async () => {
    const { parts } = JSON.parse(await bench('--quick', '--only', 'overhead', '--repeat', '2', '--json')) as RunResult
    expect(parts.map(({ part }) => part)).toEqual(['overhead'])
    const measured = parts[0]?.tables.map(({ id, rows }) => ({
      id,
      rounds: Object.fromEntries(rows.map(({ key, cells }) => [key, cells.batch?.filter((value) => value > 0).length])),
    }))
    expect(measured).toEqual([
      { id: 'overhead-postgres', rounds: { hand: 2, prepared: 2, evenkeel: 2, loop: 2 } },
      { id: 'overhead-sqlite', rounds: { hand: 2, evenkeel: 2, loop: 2 } },
      { id: 'overhead-sqlite-normal', rounds: { hand: 2, evenkeel: 2, loop: 2 } },
    ])
  })

  it('refuses a part that there is none of, and says which there are', async () => {
    await expect(bench('--only', 'speed')).rejects.toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/no part "speed".*overhead/) as string,
    })
  })
})

async function bench(...args: readonly string[]): Promise<string> {
  const jiti = path.join(path.dirname(createRequire(import.meta.url).resolve('jiti/package.json')), 'lib/jiti-cli.mjs')
  const { stdout } = await run(process.execPath, [jiti, 'bench/main.ts', ...args], { cwd: ROOT, maxBuffer: 2 ** 24 })
  return stdout
}
