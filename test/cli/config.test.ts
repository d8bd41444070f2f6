import { existsSync, mkdirSync } from 'node:fs'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { defineConfig } from '../../src/config.js'
import { ConfigurationError, defineUpdate } from '../../src/index.js'
import { Project, ShellProcess } from './shell-process.js'

describe('defineConfig', () => {
  const update = defineUpdate({ name: 'a', batch: async () => ({ items: 0, done: true }) })

  it('gives back what it was given', () => {
    const config = { database: 'sqlite:app.db', updates: [update], targetMs: 50 }
    expect(defineConfig(config)).toBe(config)
    expect(
      defineConfig({ databases: { main: config, state: { database: () => Promise.reject(new Error('not opened')) } } }),
    ).toBeTruthy()
  })

  it.each([
    [null, 'must be an object'],
    [{ databse: 'sqlite:a.db' }, 'unknown option "databse"; did you mean "database"?'],
    [{ database: 'mysql://x/y' }, '"mysql" is not a database'],
    [{ database: '' }, 'the database URL is empty'],
    [{ database: 5 }, 'database must be a URL'],
    [{ database: 'a.db', schema: 'x' }, 'schema is for PostgreSQL'],
    [{ database: 'a.db', updates: [update, update] }, 'two updates are named "a"'],
    [{ database: 'a.db', databaseName: 'x' }, 'databaseName is set by the shell'],
    [{ databases: {} }, 'databases is empty'],
    [{ databases: { main: 'a.db' } }, 'databases.main must be an object'],
    [{ databases: { main: { targetMs: -1 } } }, 'databases.main: targetMs'],
  ])('refuses %j', (config, message) => {
    expect(() => defineConfig(config as never)).toThrow(message)
    expect(() => defineConfig(config as never)).toThrow(ConfigurationError)
  })

  it('tells every problem in one error', () => {
    const wrong = { databases: { main: { database: 'mysql://x', targetMs: 0 }, state: { updates: 'none', lease: 1 } } }
    const thrown = (() => {
      try {
        defineConfig(wrong as never)
        return null
      } catch (error) {
        return error as ConfigurationError
      }
    })()
    expect(thrown?.problems).toHaveLength(4)
  })
})

describe('the configuration', () => {
  const withUpdate = (name: string, database: string) => `
    import { defineConfig, defineUpdate } from 'evenkeel'
    export default defineConfig({
      database: ${database},
      updates: [defineUpdate({ name: '${name}', batch: async () => ({ items: 0, done: true }) })],
    })`

  it('is found upward, and its file names start from its own folder', async () => {
    const project = new Project().write('evenkeel.config.ts', withUpdate('found', `'sqlite:here.db'`))
    mkdirSync(project.file('deep/below'), { recursive: true })
    const below = (...args: string[]) => new ShellProcess(args, project.file('deep/below'), {}).ended
    expect(await below('install')).toMatchObject({ code: 0, stdout: 'main: installed revision 2\n' })
    expect(existsSync(project.file('here.db'))).toBe(true)
    expect((await below('enqueue', 'found')).code).toBe(0)
    expect((await below('run', '--once')).stdout).toContain('found: completed')
    const elsewhere = new Project()
    const told = await elsewhere.run('status', '--config', project.file('evenkeel.config.ts'))
    expect(told).toMatchObject({ code: 0, stdout: 'main · complete · the queue is empty\n' })
  })

  it.each(['ts', 'mts', 'js', 'mjs'])('may be evenkeel.config.%s', async (extension) => {
    const project = new Project().write(`evenkeel.config.${extension}`, withUpdate('x', `'sqlite:a.db'`))
    expect((await project.run('install')).code).toBe(0)
    expect((await project.run('enqueue', 'x')).code).toBe(0)
  })

  it('may give an adapter, or a function that opens one', async () => {
    const project = new Project().write(
      'evenkeel.config.ts',
      `import { defineConfig } from 'evenkeel'
       import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
       export default defineConfig({ databases: {
         main: { database: fromBetterSqlite3(new URL('main.db', import.meta.url).pathname) },
         state: { database: async () => fromBetterSqlite3(new URL('state.db', import.meta.url).pathname) },
       } })`,
    )
    expect((await project.run('install')).stdout).toBe('main: installed revision 2\nstate: installed revision 2\n')
    const status = await project.run('status', '--json')
    expect(Object.keys((JSON.parse(status.stdout) as { databases: object }).databases)).toEqual(['main', 'state'])
    const one = await project.run('status', '--database-name', 'state')
    expect(one.stdout).toBe('state · complete · the queue is empty\n')
  })

  it('yields to DATABASE_URL, that to EVENKEEL_DATABASE_URL, and that to --database', async () => {
    const project = new Project().write('evenkeel.config.ts', withUpdate('x', `'sqlite:config.db'`))
    const databases = ['config.db', 'database-url.db', 'evenkeel-url.db', 'flag.db']
    for (const file of databases) {
      expect((await project.run('install', '--database', file)).code).toBe(0)
      const handle = new Database(project.file(file))
      handle.prepare('INSERT INTO background_updates (update_name) VALUES (?)').run(file)
      handle.close()
    }
    const shown = async (...args: string[]) => (await project.run('status', ...args)).stdout
    expect(await shown()).toContain('config.db')
    project.environment.DATABASE_URL = 'sqlite:database-url.db'
    expect(await shown()).toContain('database-url.db')
    project.environment.EVENKEEL_DATABASE_URL = 'sqlite:evenkeel-url.db'
    expect(await shown()).toContain('evenkeel-url.db')
    expect(await shown('--database', 'flag.db')).toContain('flag.db')
  })

  it('is not needed to look and to control, and then says nothing of handlers', async () => {
    const project = new Project()
    expect((await project.run('install', '--database', 'a.db')).code).toBe(0)
    project.environment.DATABASE_URL = 'a.db'
    expect((await project.run('enqueue', 'somebody_elses', '--ordering', '3')).code).toBe(0)
    const status = await project.run('status', '--json')
    expect(JSON.parse(status.stdout)).toMatchObject({
      databases: { main: { status: 'NOT_STARTED', updates: [{ name: 'somebody_elses', ordering: 3, waiting: null }] } },
    })
    expect((await project.run('status', '--check')).code).toBe(2)
    expect((await project.run('pause', 'somebody_elses')).code).toBe(0)
    expect((await project.run('cancel', 'somebody_elses')).code).toBe(0)
    expect((await project.run('wait', 'never_heard_of', '--timeout', '0')).code).toBe(0)
    expect((await project.run('run')).code).toBe(64)
  })

  it('tells what is wrong with it, and where', async () => {
    const project = new Project()
    for (const [text, message] of [
      [`export const config = {}`, 'no default export'],
      [`export default { database: 'a.db', update: [], targetMs: 'fast' }`, 'did you mean "updates"?'],
      [`throw new Error('boom')`, 'boom'],
      [`export default {{`, "it can't be loaded"],
      [`import './gone.js'\nexport default {}`, 'gone.js'],
    ] as const) {
      const { code, stderr } = await project.write('evenkeel.config.ts', text).run('status')
      expect(stderr).toContain(message)
      expect(stderr).toContain('evenkeel.config.ts')
      expect(code, text).toBe(64)
    }
  })
})

describe('init', () => {
  it('writes a configuration that loads, and never overwrites', async () => {
    const project = new Project().write('updates/lowercase-emails.ts', 'export const lowercaseEmails = undefined')
    const written = await project.run('init')
    expect(written.code).toBe(0)
    expect(written.stdout).toContain('kept  updates/lowercase-emails.ts')
    const again = await project.run('init')
    expect(again).toMatchObject({ code: 0, stdout: 'evenkeel.config.ts is here already; nothing was written\n' })

    const fresh = new Project()
    await fresh.run('init')
    const handle = new Database(fresh.file('app.db'))
    handle.exec(`
      CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, email_lower TEXT);
      INSERT INTO users (email) VALUES ('Ann@Example.org'), ('BOB');
    `)
    for (const args of [['install'], ['enqueue', 'lowercase_emails'], ['run', '--once']]) {
      expect((await fresh.run(...args)).code, args.join(' ')).toBe(0)
    }
    expect(handle.prepare('SELECT email_lower FROM users').pluck().all()).toEqual(['ann@example.org', 'bob'])
    handle.close()
  })
})

describe('--sql', () => {
  it('prints what a migration needs, and connects to nothing', async () => {
    const project = new Project().write('evenkeel.config.ts', withDefaults)
    const install = await project.run('install', '--sql')
    const enqueue = await project.run('enqueue', "it's", '--sql')
    expect(enqueue.stdout).toBe(`INSERT INTO "background_updates" (update_name, progress_json, depends_on, ordering)
VALUES ('it''s', '{"from":"o''clock"}', 'a, b', -2);
`)
    const handle = new Database(':memory:')
    handle.exec(install.stdout)
    handle.exec(enqueue.stdout)
    expect(handle.prepare('SELECT update_name, ordering FROM background_updates').get()).toEqual({
      update_name: "it's",
      ordering: -2,
    })
    handle.close()
    const bare = await project.run('enqueue', 'a', '--sql', '--database', 'postgres://nowhere/db', '--schema', 'Ops')
    expect(bare.stdout).toBe(`INSERT INTO "Ops"."background_updates" (update_name)\nVALUES ('a');\n`)
  })

  const withDefaults = `
    import { defineConfig, defineUpdate } from 'evenkeel'
    const batch = async () => ({ items: 0, done: true })
    export default defineConfig({
      database: 'sqlite:never-made.db',
      updates: [
        defineUpdate({ name: "it's", dependsOn: ['a', 'b'], ordering: -2, progress: { from: "o'clock" }, batch }),
        defineUpdate({ name: 'a', batch }),
      ],
    })`
})
