import type pg from 'pg'
import { expect, it } from 'vitest'
import { describePostgres } from '../support/postgres.js'
import { Project, type ShellProcess } from './shell-process.js'

// Each batch waits for a lock that the test holds: so it runs exactly as long as the test wants.
const config = (url: string) => `
import { defineConfig, defineUpdate } from 'evenkeel'

export default defineConfig({
  database: '${url}',
  updates: [
    defineUpdate({
      name: 'waits',
      async batch({ query, progress }) {
        await query('SELECT pg_advisory_xact_lock(7)')
        return { items: 1, progress: { batches: ((progress as { batches?: number }).batches ?? 0) + 1 } }
      },
    }),
  ],
})
`

describePostgres('a signal', (postgres) => {
  async function runningBatch(...options: string[]): Promise<{ run: ShellProcess; lock: pg.Client; pool: pg.Pool }> {
    const database = await postgres.freshDatabase()
    const lock = await database.openClient()
    await lock.query('SELECT pg_advisory_lock(7)')
    const project = new Project().write('evenkeel.config.ts', config(database.url))
    for (const args of [['install'], ['enqueue', 'waits']]) expect((await project.run(...args)).code).toBe(0)
    const run = project.start('run', '--no-pace', '--json', ...options)
    expect(await run.prints(/"batch:start"/)).toBe(true)
    return { run, lock, pool: database.pool }
  }

  async function savedRow(pool: pg.Pool) {
    const { rows } = await pool.query<{ progress: string; failures: number; token: string | null }>(
      'SELECT progress_json AS progress, failures, lease_token AS token FROM background_updates',
    )
    return rows[0]
  }

  it.each([
    ['SIGINT', 130, '--verbose'],
    ['SIGTERM', 143, '--once'],
  ] as const)('%s once lets the batch finish and ends with %i', async (signal, code, option) => {
    const { run, lock, pool } = await runningBatch(option)
    run.kill(signal)
    expect(await run.prints(/stopping: waits finishes its batch/)).toBe(true)
    await lock.query('SELECT pg_advisory_unlock(7)')
    expect((await run.ended).code).toBe(code)
    expect(await savedRow(pool)).toEqual({ progress: '{"batches":1}', failures: 0, token: null })
  })

  it.each(['--verbose', '--once'])(
    'twice cancels the batch in the server and counts no failure (%s)',
    async (option) => {
      const { run, pool } = await runningBatch(option)
      run.kill('SIGINT')
      expect(await run.prints(/stopping: waits/)).toBe(true)
      run.kill('SIGINT')
      expect(await run.prints(/cancelling what runs.*; once more ends the process at once/)).toBe(true)
      // The lock is held all the time: only a cancel can end it.
      const { code, stdout } = await run.ended
      expect(code).toBe(130)
      expect(stdout).not.toContain('batch:failure')
      expect(await savedRow(pool)).toEqual({ progress: '{}', failures: 0, token: null })
    },
  )
})
