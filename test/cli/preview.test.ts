import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { Project } from './shell-process.js'

const config = (where: string) => `
import { createIndex, defineConfig, deleteRows, fixedPace } from 'evenkeel'

export default defineConfig({
  database: 'sqlite:app.db',
  maxBatchSize: 100,
  pace: fixedPace({ sleepMs: 0 }),
  updates: [
    deleteRows({ name: 'purge', table: 't', where: '${where}', maxDeletes: 150 }),
    createIndex({ name: 'index', table: 't', index: 'i', columns: ['id'] }),
  ],
})
`

async function project(): Promise<Project> {
  const made = new Project().write('evenkeel.config.ts', config('id % 2 = 0'))
  const handle = new Database(made.file('app.db'))
  handle.exec(`
    CREATE TABLE t (id INTEGER PRIMARY KEY);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    INSERT INTO t SELECT i FROM n;
  `)
  handle.close()
  await made.run('install')
  return made
}

it('preview says how many rows would go, and which come first', async () => {
  const made = await project()
  const { code, stdout } = await made.run('preview', 'purge')
  expect(code).toBe(0)
  expect(stdout.split('\n').slice(0, 3)).toEqual([
    'purge: it deletes 500 rows of main.t',
    '  {"id":"2"}',
    '  {"id":"4"}',
  ])
  const json = JSON.parse((await made.run('preview', 'purge', '--json')).stdout) as unknown
  expect(json).toMatchObject({ update: 'purge', preview: { does: 'delete', rows: 500, exact: true } })
  expect((await made.run('preview', 'index')).stdout).toMatch(/can't be told beforehand/)
  expect((await made.run('preview', 'purg')).stderr).toMatch(/did you mean "purge"/)
})

it('a definition that was changed after its first batches goes on only when that is accepted', async () => {
  const made = await project()
  await made.run('enqueue', 'purge')
  // It ends at its limit.
  expect((await made.run('run', '--once')).code).toBe(4)
  made.write('evenkeel.config.ts', config('id < 0'))
  await made.run('retry', 'purge')
  const refused = await made.run('run', '--once')
  expect(refused.code).toBe(4)
  expect((await made.run('status')).stdout).toMatch(/paused by evenkeel: the definition of update "purge" changed/)
  expect((await made.run('resume', 'purge', '--accept-changes')).code).toBe(0)
  expect((await made.run('run', '--once')).code).toBe(0)
})
