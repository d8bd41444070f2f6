/** A process that runs a scenario and dies at the statement that its job names. Bundled by runner-bundle.ts. */
import type { Database } from 'evenkeel'
import { Fatal } from './fatal.js'
import { runScenario } from './run-scenario.js'
import type { RunnerJob } from './runner-job.js'
import { scenarioNamed } from './scenarios.js'

const job = JSON.parse(process.argv[2] ?? '') as RunnerJob
const fatal = new Fatal(job.death)
await runScenario(scenarioNamed(job.scenario), await open(), job.leaseMs)
process.stdout.write(JSON.stringify(fatal.statements), () => process.exit(0))

// Only the driver that is needed: loading both takes as long as all the rest.
async function open(): Promise<Database<never>> {
  if (job.dialect === 'sqlite') return (await import('./fatal-sqlite.js')).openFatalSqlite(job.database, fatal)
  return (await import('./fatal-postgres.js')).openFatalPostgres(job.database, fatal)
}
