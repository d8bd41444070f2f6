import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { serverUser } from '../../support/postgres-binaries.js'

const SIZE = '4m'

const owner = await serverUser()

/** Makes a folder on a file system of 4 MB, for one test; null where this user may not mount one. */
export const smallFileSystem: (() => string) | null = mayMount() ? makeSmall : null

function makeSmall(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'evenkeel-small-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder])
  if ('uid' in owner) chownSync(folder, owner.uid, owner.gid)
  onTestFinished(() => {
    // Lazily: the server may still have a file of it open.
    execFileSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

function mayMount(): boolean {
  const folder = mkdtempSync(path.join(tmpdir(), 'evenkeel-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' })
    execFileSync('umount', [folder])
    return true
  } catch {
    console.warn('no file system can be mounted by this user: the test of a full disk under PostgreSQL is left out')
    return false
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
