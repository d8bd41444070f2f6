import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { Project } from './shell-process.js'

/** A project with 1 000 users on SQLite, installed, and updates that end, fail or go on for ever. */
async function installedProject(): Promise<Project> {
  const project = emptyProject()
  expect((await project.run('install')).code).toBe(0)
  return project
}

function emptyProject(): Project {
  const project = new Project()
  const handle = new Database(project.file('app.db'))
  handle.exec(`
    CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, email_lower TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    INSERT INTO users (id, email) SELECT i, 'U' || i FROM n;
  `)
  handle.close()
  return project.write('evenkeel.config.ts', CONFIG)
}

const CONFIG = `
import { defineConfig, defineUpdate, fixedPace } from 'evenkeel'

export default defineConfig({
  database: 'app.db',
  maxAttempts: 1,
  pace: fixedPace({ sleepMs: 20 }),
  updates: [
    defineUpdate({
      name: 'lowercase_emails',
      async batch({ query, progress, batchSize }) {
        const from = (progress as { id?: number }).id ?? 0
        await query('UPDATE users SET email_lower = lower(email) WHERE id > $1 AND id <= $2', [from, from + batchSize])
        return { items: batchSize, progress: { id: from + batchSize }, done: from + batchSize >= 1000 }
      },
    }),
    defineUpdate({ name: 'fails', batch: async () => { throw new Error('the disk is on fire') } }),
    defineUpdate({
      name: 'endless',
      batch: async ({ progress }) => ({ items: 1, progress: { n: ((progress as { n?: number }).n ?? 0) + 1 } }),
    }),
  ],
})
`

describe('exit codes', () => {
  it('is 64 for what nobody can mean, with what was meant', async () => {
    const project = await installedProject()
    for (const [args, message] of [
      [['stauts'], 'Did you mean status?'],
      [['status', '--jsno'], 'Did you mean --json?'],
      [['enqueue', 'lowercase_email'], 'did you mean "lowercase_emails"?'],
      [['run', '--only', 'endles'], 'did you mean "endless"?'],
      [['wait', 'fail'], 'did you mean "fails"?'],
      [['pause', 'fails'], 'not in the queue'],
      [['enqueue', 'fails', '--progress', '{'], 'It is not JSON'],
      [['enqueue', 'fails', '--progress', '[]'], 'must be a JSON object'],
      [['enqueue', 'fails', '--ordering', '1.5'], 'whole number'],
      [['wait', 'fails', '--timeout', 'soon'], 'number of seconds'],
      [['status', '--database', 'mysql://host/db'], '"mysql" is not a database'],
      [['status', '--database', 'no-such.db'], 'does not exist'],
      [['status', '--config', 'no-such.ts'], 'no-such.ts'],
      [['status', '--database-name', 'maim'], 'did you mean "main"?'],
      [['status', 'extra'], 'too many arguments'],
      [['enqueue'], "missing required argument 'name'"],
    ] as const) {
      const { code, stderr, stdout } = await project.run(...args)
      expect(`${args.join(' ')}: ${code} ${stderr}`).toContain(message)
      expect(code, args.join(' ')).toBe(64)
      expect(stdout).toBe('')
      expect(stderr).not.toContain('    at ')
    }
  })

  it('is 64 without a command, with the help on stderr, and 0 when help was asked for', async () => {
    const project = emptyProject()
    const bare = await project.run()
    expect(bare).toMatchObject({ code: 64, stdout: '' })
    expect(bare.stderr).toContain('Usage: evenkeel')
    const help = await project.run('--help')
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('Exit codes:')
  })

  it('is 5 until the tables are there', async () => {
    const project = emptyProject()
    for (const args of [['status'], ['history'], ['install', '--check'], ['enqueue', 'fails'], ['run', '--once']]) {
      const { code, stderr } = await project.run(...args)
      expect(code, args.join(' ')).toBe(5)
      expect(stderr).toContain('evenkeel install')
    }
    expect((await project.run('install')).stdout).toBe('main: installed revision 2\n')
    expect((await project.run('install')).stdout).toBe('main: revision 2 is installed already\n')
    expect((await project.run('install', '--check')).code).toBe(0)
  })

  it('is 5 for install --check of a file that is not there, which it does not make', async () => {
    const project = new Project()
    const { code, stderr } = await project.run('install', '--check', '--database', 'new.db')
    expect([code, stderr]).toEqual([5, expect.stringContaining('`evenkeel install` makes it')])
    expect(existsSync(project.file('new.db'))).toBe(false)
  })

  it('is 5 when the tables are newer than this version', async () => {
    const project = await installedProject()
    const handle = new Database(project.file('app.db'))
    handle.exec('INSERT INTO background_update_revisions (revision) VALUES (99)')
    handle.close()
    const { code, stderr } = await project.run('status')
    expect(code).toBe(5)
    expect(stderr).toContain('revision 99')
  })

  it('goes from 0 over 2 back to 0 as work comes and is done', async () => {
    const project = await installedProject()
    expect((await project.run('status', '--check')).code).toBe(0)
    expect((await project.run('enqueue', 'lowercase_emails')).stdout).toBe('lowercase_emails: queued\n')
    expect((await project.run('status', '--check')).code).toBe(2)
    const waited = await project.run('wait', 'lowercase_emails', '--timeout', '0')
    expect(waited.code).toBe(2)
    expect(waited.stderr).toContain('lowercase_emails')
    expect((await project.run('run', '--once')).code).toBe(0)
    expect((await project.run('status', '--check')).code).toBe(0)
    expect((await project.run('wait', 'lowercase_emails')).code).toBe(0)
    const handle = new Database(project.file('app.db'))
    expect(handle.prepare('SELECT count(*) AS n FROM users WHERE email_lower IS NOT lower(email)').get()).toEqual({
      n: 0,
    })
    handle.close()
  })

  it('refuses to queue a name twice, unless that is meant', async () => {
    const project = await installedProject()
    await project.run('enqueue', 'endless')
    expect((await project.run('enqueue', 'endless')).code).toBe(64)
    const ignored = await project.run('enqueue', 'endless', '--if-queued', 'ignore')
    expect(ignored).toMatchObject({ code: 0, stdout: 'endless: is queued already\n' })
  })

  it('is 4 when an update has failed, and 0 after a person has taken it away', async () => {
    const project = await installedProject()
    await project.run('enqueue', 'fails')
    await project.run('enqueue', 'lowercase_emails', '--ordering', '5')
    const run = await project.run('run', '--once')
    expect(run.code).toBe(4)
    expect(run.stderr).toContain('the disk is on fire')
    expect(run.stdout).toContain('lowercase_emails: completed')
    expect((await project.run('status', '--check')).code).toBe(4)
    const waited = await project.run('wait', 'fails')
    expect(waited.code).toBe(4)
    expect(waited.stderr).toContain('the disk is on fire')
    expect((await project.run('retry', 'fails')).code).toBe(0)
    expect((await project.run('status', '--check')).code).toBe(2)
    expect((await project.run('cancel', 'fails', '--by', 'ann', '--reason', 'not needed')).code).toBe(0)
    expect((await project.run('status', '--check')).code).toBe(0)
    expect((await project.run('history')).stdout).toMatch(/fails +cancelled .* ann: not needed/)
  })

  it('is 4 while the updates are disabled, and 0 when they are enabled', async () => {
    const project = await installedProject()
    await project.run('enqueue', 'lowercase_emails')
    await project.run('disable', '--by', 'ann', '--reason', 'Black Friday')
    const run = await project.run('run', '--once')
    expect(run.code).toBe(4)
    expect(run.stderr).toContain('disabled by ann: Black Friday')
    expect((await project.run('status')).stdout).toContain('disabled by ann: Black Friday')
    expect((await project.run('enable')).code).toBe(0)
    expect((await project.run('run', '--once')).code).toBe(0)
  })

  it('is 4 while what is left is paused', async () => {
    const project = await installedProject()
    await project.run('enqueue', 'lowercase_emails')
    await project.run('pause', 'lowercase_emails', '--by', 'ann', '--reason', 'sale')
    const run = await project.run('run', '--once')
    expect(run.code).toBe(4)
    expect(run.stderr).toContain('paused by ann: sale')
    expect((await project.run('status', '--check')).code).toBe(2)
    expect((await project.run('resume', 'lowercase_emails')).code).toBe(0)
    expect((await project.run('run', '--once')).code).toBe(0)
  })

  it('control verbs say what is so afterwards, and are 4 when the update still needs a person', async () => {
    const project = await installedProject()
    await project.run('enqueue', 'fails')
    await project.run('run', '--once')
    expect(await project.run('pause', 'fails')).toMatchObject({
      code: 4,
      stdout: "fails: is failed, which a pause doesn't change: retry or cancel it\n",
    })
    expect(await project.run('retry', 'fails')).toMatchObject({ code: 0, stdout: 'fails: will be tried again\n' })
    expect(await project.run('resume', 'fails')).toMatchObject({ code: 0 })
  })

  it('is 3 when a live runner holds what is left', async () => {
    const project = await installedProject()
    await project.run('enqueue', 'endless')
    const first = project.start('run', '--json')
    expect(await first.prints(/"batch:success"/)).toBe(true)
    const second = await project.run('run', '--once')
    expect(second.stderr).toContain('endless by')
    expect(second.code).toBe(3)
    first.kill('SIGTERM')
    expect((await first.ended).code).toBe(143)
  })

  it('runs only what is named and what it depends on', async () => {
    const project = await installedProject()
    await project.run('enqueue', 'endless')
    await project.run('enqueue', 'lowercase_emails', '--depends-on', 'fails')
    await project.run('enqueue', 'fails')
    const run = await project.run('run', '--once', '--only', 'lowercase_emails')
    expect(run.code).toBe(4)
    expect(run.stderr).toContain('fails')
    expect((await project.run('status')).stdout).toMatch(/lowercase_emails .*waits for fails/)
    await project.run('cancel', 'fails')
    expect((await project.run('run', '--once', '--only', 'lowercase_emails')).code).toBe(0)
    expect((await project.run('status')).stdout).toMatch(/endless +queued/)
  })

  it('is 4 when strict mode gives up, also without --once', async () => {
    const project = emptyProject().write(
      'evenkeel.config.ts',
      CONFIG.replace("database: 'app.db',", "$& onFailure: 'abort',"),
    )
    for (const args of [['install'], ['enqueue', 'fails']]) expect((await project.run(...args)).code).toBe(0)
    for (const args of [['run'], ['run', '--once']]) {
      const run = await project.run(...args)
      expect(run.code).toBe(4)
      expect(run.stderr).toContain('update "fails" failed 1 times in a row')
    }
  })

  it('is 64 when an update can not run on this database', async () => {
    const project = new Project().write(
      'evenkeel.config.ts',
      `import { defineConfig, validateConstraint } from 'evenkeel'
       export default defineConfig({
         database: 'app.db',
         updates: [validateConstraint({ name: 'v', table: 't', constraintName: 'c' })],
       })`,
    )
    await project.run('install')
    const run = await project.run('run')
    expect(run.code).toBe(64)
    expect(run.stderr).toContain('not possible on sqlite')
  })

  it('is 64 when there is nothing that could be run', async () => {
    const project = new Project().write('evenkeel.config.mjs', `export default { database: 'sqlite:app.db' }`)
    expect(await project.run('run')).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('no updates are defined') as string,
    })
  })
})
