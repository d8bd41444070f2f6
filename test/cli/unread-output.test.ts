import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { Project } from './shell-process.js'

const CONFIG = `
import { defineConfig, defineUpdate } from 'evenkeel'

export default defineConfig({
  database: 'app.db',
  leaseMs: 3_600_000,
  updates: [
    defineUpdate({
      name: 'endless',
      batch: async ({ progress }) => ({ items: 1, progress: { n: ((progress as { n?: number }).n ?? 0) + 1 } }),
    }),
  ],
})
`

async function queued(): Promise<Project> {
  const project = new Project().write('evenkeel.config.ts', CONFIG)
  for (const args of [['install'], ['enqueue', 'endless']]) expect((await project.run(...args)).code).toBe(0)
  return project
}

it.each([['--once'], ['--no-pace']])(
  'run %s, whose output nobody reads any more, stops and holds nothing',
  async (how) => {
    const project = await queued()
    const run = project.start('run', how, '--json')
    expect(await run.prints(/"batch:success"/)).toBe(true)
    run.closeStdout()
    expect((await run.ended).code).toBe(141)
    const handle = new Database(project.file('app.db'))
    expect(handle.prepare('SELECT lease_owner AS owner, failures FROM background_updates').get()).toEqual({
      owner: null,
      failures: 0,
    })
    handle.close()
  },
)

it('status, whose output nobody reads, ends as it would have', async () => {
  const project = await queued()
  for (const [args, code] of [
    [['status'], 0],
    [['status', '--check'], 2],
  ] as const) {
    const status = project.start(...args)
    status.closeStdout()
    expect(await status.ended).toMatchObject({ code, stderr: '' })
  }
})
