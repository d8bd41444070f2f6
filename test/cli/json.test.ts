import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { Project } from './shell-process.js'

const CONFIG = `
import { backfill, defineConfig } from 'evenkeel'

export default defineConfig({
  database: 'sqlite:app.db',
  updates: [
    backfill({ name: 'double', table: 't', set: { doubled: 'id * 2' } }),
    backfill({ name: 'triple', table: 't', set: { tripled: 'id * 3' }, dependsOn: 'double' }),
  ],
})
`

async function project(): Promise<Project> {
  const made = new Project().write('evenkeel.config.ts', CONFIG)
  const handle = new Database(made.file('app.db'))
  handle.exec(`
    CREATE TABLE t (id INTEGER PRIMARY KEY, doubled INTEGER, tripled INTEGER);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO t (id) SELECT i FROM n;
  `)
  handle.close()
  for (const args of [['install'], ['enqueue', 'triple'], ['enqueue', 'double']]) await made.run(...args)
  return made
}

describe('--json', () => {
  it('prints the status in its one shape', async () => {
    const { code, stdout } = await (await project()).run('status', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      databases: {
        main: {
          status: 'NOT_STARTED',
          statusCode: 1,
          enabled: true,
          current: null,
          updates: [
            {
              name: 'double',
              state: 'queued',
              ordering: 0,
              dependsOn: [],
              oneShot: false,
              progress: {},
              items: 0,
              batches: 0,
              failures: 0,
              batchSize: null,
              itemsPerSecond: null,
              etaSeconds: null,
              waiting: null,
              lastError: null,
              owner: null,
            },
            { name: 'triple', waiting: { code: 'waits_for', text: 'waits for double' } },
          ],
        },
      },
    })
  })

  it('prints one event a line while it runs, and nothing else on stdout', async () => {
    const made = await project()
    const { code, stdout } = await made.run('run', '--once', '--json')
    expect(code).toBe(0)
    const events = stdout
      .trimEnd()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as { event: string; at: string; databaseName: string; updateName?: string; items?: number },
      )
    for (const { event, at, databaseName } of events) {
      expect(event).toMatch(/^[a-z]+:[a-z]+$/)
      expect(new Date(at).toISOString()).toBe(at)
      expect(databaseName).toBe('main')
    }
    expect(events[0]?.event).toBe('updater:start')
    expect(events.at(-1)?.event).toBe('updater:stop')
    expect(events.filter(({ event }) => event === 'update:complete').map(({ updateName }) => updateName)).toEqual([
      'double',
      'triple',
    ])
    const items = events.filter(({ event, updateName }) => event === 'batch:success' && updateName === 'double')
    expect(items.reduce((sum, event) => sum + (event.items ?? 0), 0)).toBe(5_000)

    const history = await made.run('history', '--json')
    expect(JSON.parse(history.stdout)).toMatchObject({
      databases: {
        main: [
          { name: 'triple', outcome: 'completed', items: 5_000 },
          { name: 'double', outcome: 'completed', items: 5_000 },
        ],
      },
    })
    expect(JSON.parse((await made.run('history', '--json', '--limit', '1')).stdout)).toMatchObject({
      databases: { main: [{ name: 'triple' }] },
    })
  })

  it('prints what an installation did', async () => {
    const made = await project()
    expect(JSON.parse((await made.run('install', '--json')).stdout)).toEqual({
      databases: { main: { from: 2, to: 2, adopted: false } },
    })
  })
})

describe('a pipe', () => {
  it('gets plain lines without escape codes, in the order of what happened', async () => {
    const made = await project()
    const { stdout, stderr, code } = await made.run('run', '--once')
    expect(code).toBe(0)
    expect(stderr).toBe('')
    expect(stdout.replace(/completed, .*/g, 'completed')).toBe(
      'double: started\ndouble: completed\ntriple: started\ntriple: completed\n',
    )
    expect(stdout).toContain('completed, 5,000 rows')
    for (const args of [['status'], ['history'], ['--help']]) {
      const printed = await made.run(...args)
      expect(printed.stdout).not.toContain('\u001b')
    }
  })
})
