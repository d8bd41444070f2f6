import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { describePostgres } from '../support/postgres.js'
import { Project } from './shell-process.js'

function demoProject(): Project {
  const project = new Project()
  project.environment.EVENKEEL_DEMO_ROWS = '40000'
  return project
}

describe('the demo (SQLite)', () => {
  it('goes on where it was killed, checks its data, and starts over when it has finished', async () => {
    const project = demoProject()
    const loading = project.start('demo')
    expect(await loading.prints(/Loading/)).toBe(true)
    loading.kill('SIGKILL')
    await loading.ended

    const killed = project.start('demo')
    expect(await killed.prints(/move_orphans: started/)).toBe(true)
    killed.kill('SIGKILL')
    await killed.ended

    const interrupted = project.start('demo')
    if (await interrupted.prints(/move_duplicates: started/)) interrupted.kill('SIGINT')
    const stopped = await interrupted.ended
    expect(stopped.stdout).toContain('Going on with the demo')
    expect([0, 130]).toContain(stopped.code)

    const done = stopped.code === 0 ? stopped : await project.run('demo')
    expect(done.stdout).toContain('✓ Checked against one plain SELECT')
    expect(done.code).toBe(0)
    const handle = new Database(project.file('.evenkeel-demo/places.sqlite'))
    expect(handle.pragma('foreign_key_list(places)')).toMatchObject([
      { table: 'countries', from: 'country_code', to: 'code' },
    ])
    expect(handle.pragma('index_list(places)')).toMatchObject([{ name: 'places_city_id_recorded_in_key', unique: 1 }])
    expect(
      handle.prepare("SELECT [notnull] FROM pragma_table_info('places') WHERE name = 'name_key'").pluck().get(),
    ).toBe(1)

    // Data that isn't right is told, and not with a zero.
    handle.exec(
      "UPDATE places SET name_key = 'wrong' WHERE place_id = 1; DELETE FROM demo_state WHERE reached = 'checked'",
    )
    handle.close()
    const wrong = await project.run('demo')
    expect(wrong.code).toBe(1)
    expect(wrong.stdout).toContain('not what one plain SELECT')

    const fresh = await project.run('demo', '--fresh')
    expect(fresh.stdout).toContain('✓ Checked')
    const again = await project.run('demo')
    expect(again).toMatchObject({ code: 0 })
    expect(again.stdout).toContain('starting over')
    expect(again.stdout).toContain('✓ Checked')
  })

  it('takes no file of yours, and no DATABASE_URL of your application', async () => {
    const project = demoProject()
    project.environment.DATABASE_URL = 'sqlite:mine.db'
    expect((await project.run('demo', '--database', 'mine.db')).code).toBe(64)
    const run = await project.run('demo')
    expect(run.code).toBe(0)
    expect(existsSync(project.file('mine.db'))).toBe(false)
  })
})

describePostgres('the demo', (postgres) => {
  it('does the same in a schema of its own, also after kill -9', async () => {
    const { pool, url } = await postgres.freshDatabase()
    const project = demoProject()
    const killed = project.start('demo', '--database', url)
    expect(await killed.prints(/move_orphans: started/)).toBe(true)
    killed.kill('SIGKILL')
    await killed.ended
    const done = await project.run('demo', '--database', url)
    expect(done.stdout).toContain('✓ Checked against one plain SELECT')
    expect(done.code).toBe(0)
    const { rows } = await pool.query(
      `SELECT conname AS name, convalidated AS valid
       FROM pg_constraint
       WHERE conrelid = 'evenkeel_demo.places'::regclass AND contype = 'f'`,
    )
    expect(rows).toEqual([{ name: 'places_country_code_fkey', valid: true }])
    const { rows: elsewhere } = await pool.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    expect(elsewhere).toEqual([])
  })
})
