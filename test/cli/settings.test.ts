import { expect, it } from 'vitest'
import { Project } from './shell-process.js'

const CONFIG = `
import { defineConfig, defineUpdate } from 'evenkeel'

export default defineConfig({
  database: 'app.db',
  updates: [defineUpdate({ name: 'walk', batch: async () => ({ items: 1, done: true }) })],
})
`

it('set, why and audit: who changed what, for what, and why', async () => {
  const project = new Project().write('evenkeel.config.ts', CONFIG)
  const stdout = async (...args: string[]) => {
    const { code, stdout, stderr } = await project.run(...args)
    expect([code, stderr]).toEqual([0, ''])
    return stdout
  }
  await stdout('install')
  await stdout('enqueue', 'walk')
  expect(await stdout('set')).toBe('no setting is stored: those of the configuration are in force\n')
  const shown = await stdout('set', 'pace.preset=gentle', 'pace.maxDuty=0.5', '--by', 'anna', '--reason', 'the sale')
  expect(shown).toMatch(/^pace\.maxDuty=0\.5, set by anna at \S+Z\npace\.preset="gentle", set by anna at \S+Z\n$/)
  await stdout('set', 'targetMs=20', '--update', 'walk', '--by', 'anna')
  await stdout('set', 'windows=Mon-Fri 22:00-06:00 Europe/Berlin; Sat 00:00-24:00', 'pace.preset=', '--by', 'bert')
  const { databases } = JSON.parse(await stdout('set', '--json')) as {
    databases: Record<string, { key: string; update: string | null; value: unknown }[]>
  }
  expect(databases.main?.map(({ key, update, value }) => [key, update, value])).toEqual([
    ['pace.maxDuty', null, 0.5],
    ['targetMs', 'walk', 20],
    ['windows', null, ['Mon-Fri 22:00-06:00 Europe/Berlin', 'Sat 00:00-24:00']],
  ])
  const why = await stdout('why', 'walk')
  expect(why).toContain('walk is queued\n')
  expect(why).toMatch(/targetMs was set to 20 for walk by anna at \S+Z\n/)
  const audit = (await stdout('audit')).trimEnd().split('\n')
  expect(audit.map((line) => line.replace(/^\S+ +/, ''))).toEqual([
    'set pace.preset "gentle" → none by bert',
    'set windows none → ["Mon-Fri 22:00-06:00 Europe/Berlin","Sat 00:00-24:00"] by bert',
    'set targetMs@walk none → 20 by anna',
    'set pace.maxDuty none → 0.5 by anna: the sale',
    'set pace.preset none → "gentle" by anna: the sale',
  ])
  expect(await stdout('audit', '--limit', '1')).toContain('set pace.preset "gentle" → none by bert')
})

it.each([
  [['set', 'pace.maxDuti=1'], 'did you mean "pace.maxDuty"?'],
  [['set', 'pace.maxDuty'], 'Write KEY=VALUE'],
  [['set', 'pace.preset=gentel'], 'did you mean "gentle"?'],
  [['set', 'windows=Mon 22:00'], 'are no hours'],
  [['set', 'targetMs=5', '--update', 'wlak'], 'not in the queue'],
  [['why', 'walk'], 'not in the queue'],
])('%j is refused with what was meant', async (args, message) => {
  const project = new Project().write('evenkeel.config.ts', CONFIG)
  await project.run('install')
  const { code, stderr } = await project.run(...args)
  expect(stderr).toContain(message)
  expect(code).toBe(64)
})
