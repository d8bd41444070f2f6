import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { Project } from './shell-process.js'

const CONFIG = `
import { defineConfig, rowBackfill } from 'evenkeel'

export default defineConfig({
  database: 'sqlite:app.db',
  updates: [
    rowBackfill({
      name: 'slugs',
      table: 't',
      columns: ['id'],
      maxQuarantined: 10,
      map({ id }) {
        if (id % 2 === 0) throw new Error('no slug for ' + id)
        return { slug: 'a' + id }
      },
    }),
  ],
})
`

it('quarantined shows the rows that were set aside, with their errors', async () => {
  const project = new Project().write('evenkeel.config.ts', CONFIG)
  const handle = new Database(project.file('app.db'))
  handle.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, slug TEXT); INSERT INTO t (id) VALUES (1), (2), (3), (4)')
  handle.close()
  await project.run('install')
  expect(await project.run('quarantined')).toMatchObject({ code: 0, stdout: 'main · no row is set aside\n' })
  await project.run('enqueue', 'slugs')
  expect(await project.run('run', '--once')).toMatchObject({ code: 0 })
  const { stdout } = await project.run('quarantined', 'slugs')
  expect(stdout.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'then')).toBe(
    [
      'main · in the order they were set aside',
      '  since (UTC)          update  key  attempts  error',
      '  then  slugs   [2]         1  no slug for 2',
      '  then  slugs   [4]         1  no slug for 4',
      '',
    ].join('\n'),
  )
  expect(await project.run('quarantined', 'other')).toMatchObject({ stdout: 'main · no row is set aside\n' })
  const { databases } = JSON.parse((await project.run('quarantined', '--json', '--limit', '1')).stdout) as {
    databases: Record<string, unknown>
  }
  expect(databases).toMatchObject({ main: [{ update: 'slugs', key: [2], error: 'no slug for 2', attempts: 1 }] })
})
