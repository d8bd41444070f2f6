import type { TestProject } from 'vitest/node'
import { requestedVersions, runningServers, startPostgresServers, type PostgresUrls } from './postgres-servers.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A superuser's connection URL for each PostgreSQL version of this run. */
    postgres: PostgresUrls
  }
}

/** Starts the PostgreSQL servers once for the run, or takes those that already run; returns what ends them. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const running = runningServers()
  if (running) {
    const versions = requestedVersions(Object.keys(running))
    project.provide('postgres', Object.fromEntries(versions.map((version) => [version, running[version]])))
    return undefined
  }
  const servers = await startPostgresServers(requestedVersions())
  project.provide('postgres', servers.urls)
  return () => servers.stop()
}
