/**
 * `npm run test:crash -- --minutes N [--seed S] [--queues]`: kills a process at every statement of every ready-made update, on SQLite
 * and on every PostgreSQL, then at random statements of a queue that several work on, until the time is over. `--queues`
 * does only the latter.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { requestedVersions, startPostgresServers } from '../support/postgres-servers.js'
import { everyBoundary } from './support/deaths.js'
import { killAtBoundaries } from './support/kill-at-boundaries.js'
import { queueUnderFire, seeded } from './support/queue-under-fire.js'
import { bundleProgram } from './support/runner-bundle.js'
import { scenariosOf } from './support/scenarios.js'
import type { Stage } from './support/stage.js'
import { postgresStage } from './support/stage-postgres.js'
import { sqliteStage } from './support/stage-sqlite.js'

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, seed: { type: 'string' }, queues: { type: 'boolean', default: false } },
})
const minutes = Number(values.minutes ?? 10)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
if (!(minutes > 0) || !Number.isSafeInteger(seed))
  throw new Error('usage: npm run test:crash -- --minutes N [--seed S] [--queues]')
console.log(`seed ${seed}, ${minutes} minutes`)

const random = seeded(seed)
const endMs = performance.now() + minutes * 60_000
const counts = { scenarios: 0, boundaryKills: 0, queues: 0, randomKills: 0 }
const folder = mkdtempSync(path.join(tmpdir(), 'evenkeel-soak-'))
const servers = await startPostgresServers(requestedVersions())
const bundle = await bundleProgram('runner-process')
const pools: pg.Pool[] = []
try {
  const places: [string, Stage[]][] = [['SQLite', [1, 2].map((n) => sqliteStage(path.join(folder, `${n}.db`)))]]
  for (const [version, url] of Object.entries(servers.urls)) {
    places.unshift([`PostgreSQL ${version}`, await Promise.all([1, 2, 3].map((n) => database(url, `soak_${n}`)))])
  }
  if (!values.queues) for (const [place, stages] of places) await everyBoundaryOn(place, stages)
  while (performance.now() < endMs) {
    const [place, [stage]] = places[Math.floor(random() * places.length)] ?? ['', []]
    if (stage === undefined) break
    const runners = stage.dialect === 'sqlite' ? 2 : 2 + Math.floor(random() * 7)
    const dead = await queueUnderFire(bundle.file, stage, { runners, kills: 30, random })
    counts.queues += 1
    counts.randomKills += dead
    console.log(`${place}, queue of 200: ${runners} runners, ${dead} killed at random, all done once`)
  }
} finally {
  console.log(`seed ${seed}: ${JSON.stringify(counts)}`)
  bundle.remove()
  await Promise.all(pools.map((pool) => pool.end()))
  await servers.stop()
  rmSync(folder, { recursive: true, force: true })
}

async function everyBoundaryOn(place: string, stages: readonly Stage[]): Promise<void> {
  for (const scenario of scenariosOf(stages[0]?.dialect ?? 'sqlite')) {
    if (performance.now() >= endMs) return
    const { kills } = await killAtBoundaries(bundle.file, scenario, stages, everyBoundary)
    counts.scenarios += 1
    counts.boundaryKills += kills
    console.log(`${place}, ${scenario.name}: ${kills} killed, each end as without`)
  }
}

async function database(serverUrl: string, name: string): Promise<Stage> {
  const admin = new pg.Client({ connectionString: serverUrl })
  await admin.connect()
  await admin.query(`CREATE DATABASE ${name}`)
  await admin.end()
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const pool = new pg.Pool({ connectionString: url.href, application_name: 'soak' })
  pool.on('error', () => {})
  pools.push(pool)
  return postgresStage(pool, url.href)
}
