import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'

/** A directory of the running test's own; deleted with everything in it when the test has finished. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'evenkeel-test-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The name of a database file that doesn't exist yet, alone in a `temporaryDirectory()`. */
export function temporaryDatabaseFile(name = 'test.sqlite'): string {
  return path.join(temporaryDirectory(), name)
}
