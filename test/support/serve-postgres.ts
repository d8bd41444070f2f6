/**
 * Keeps PostgreSQL servers up for repeated test runs, until Ctrl-C, and prints where they are:
 *
 *     npx jiti test/support/serve-postgres.ts
 *     EVENKEEL_TEST_POSTGRES_URLS='<the line it printed>' npx vitest run
 *
 * `EVENKEEL_TEST_POSTGRES=15,18` limits the versions.
 */
import { requestedVersions, startPostgresServers } from './postgres-servers.js'

const servers = await startPostgresServers(requestedVersions())
console.log(JSON.stringify(servers.urls))

// The open pipe to the servers' caretaker doesn't keep this process alive; a timer does.
const keepAlive = setInterval(() => {}, 60_000)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    clearInterval(keepAlive)
    void servers.stop().then(() => process.exit(0))
  })
}
