import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    // The tests import the public names; they get the sources, so that a failure points at the line to mend.
    alias: [
      { find: /^evenkeel$/, replacement: source('index.ts') },
      { find: /^evenkeel\/pg$/, replacement: source('databases/drivers/pg.ts') },
      { find: /^evenkeel\/better-sqlite3$/, replacement: source('databases/drivers/better-sqlite3.ts') },
      { find: /^evenkeel\/testing$/, replacement: source('testing/index.ts') },
      { find: /^evenkeel\/worker$/, replacement: source('worker/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    typecheck: { enabled: false },
  },
})
