import path from 'node:path'
import { createRequire } from 'node:module'
import { createJiti } from 'jiti'
import { configuredDatabases, type ConfiguredDatabase } from '../../config.js'
import * as betterSqlite3 from '../../databases/drivers/better-sqlite3.js'
import * as pg from '../../databases/drivers/pg.js'
import { ConfigurationError } from '../../errors.js'
import * as evenkeel from '../../index.js'
import { messageOf } from '../../thrown.js'

/** A configuration as it was read from its file. */
export interface LoadedConfig {
  readonly file: string
  readonly databases: readonly ConfiguredDatabase[]
}

/**
 * Runs a configuration file, TypeScript or not, and checks what it exports.
 *
 * @throws ConfigurationError
 */
export async function loadConfig(file: string): Promise<LoadedConfig> {
  const subject = path.basename(file)
  const exported = await importFile(file, subject)
  if (!('default' in exported)) {
    throw new ConfigurationError(subject, ['it has no default export; write `export default defineConfig({ … })`'])
  }
  return { file, databases: configuredDatabases(await settled(exported.default, subject), subject) }
}

async function importFile(file: string, subject: string): Promise<Record<string, unknown>> {
  const jiti = createJiti(file, {
    // This very copy of the package: the file runs where nothing is installed, and no class is there twice.
    virtualModules: {
      evenkeel,
      'evenkeel/pg': pg,
      'evenkeel/better-sqlite3': betterSqlite3,
    },
    alias: ourPeers(file),
    interopDefault: false,
  })
  try {
    return await jiti.import<Record<string, unknown>>(file)
  } catch (error) {
    if (isOurs(error)) throw error
    const message = messageOf(error)
    throw new ConfigurationError(subject, [`it can't be loaded: ${message}`], error)
  }
}

// The default export may be a promise, and whatever it is may throw when it is asked whether it is one.
async function settled(exported: unknown, subject: string): Promise<unknown> {
  try {
    return await exported
  } catch (error) {
    if (isOurs(error)) throw error
    const message = messageOf(error)
    throw new ConfigurationError(subject, [`its default export fails: ${message}`], error)
  }
}

function isOurs(error: unknown): boolean {
  return error instanceof Error && typeof (error as { hint?: unknown }).hint === 'string'
}

// A driver that is installed beside this package but not beside the file, as with `npx evenkeel --config elsewhere`.
function ourPeers(file: string): Record<string, string> {
  const here = createRequire(import.meta.url)
  const there = createRequire(file)
  const aliases: Record<string, string> = {}
  for (const name of ['pg', 'better-sqlite3']) {
    if (resolved(there, name) === null) {
      const ours = resolved(here, name)
      if (ours !== null) aliases[name] = ours
    }
  }
  return aliases
}

function resolved(require: NodeJS.Require, name: string): string | null {
  try {
    return require.resolve(name)
  } catch {
    return null
  }
}
