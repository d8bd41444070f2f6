import Database from 'better-sqlite3'
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { temporaryDatabaseFile } from '../support/sqlite.js'

describe('a temporary SQLite file', () => {
  let previous: string

  it('is new and takes a database', () => {
    previous = temporaryDatabaseFile()
    expect(existsSync(previous)).toBe(false)
    const database = new Database(previous)
    database.exec('CREATE TABLE t (a INTEGER)')
    database.close()
    expect(existsSync(previous)).toBe(true)
  })

  it('is gone after its test, and the next test gets another', () => {
    expect(existsSync(previous)).toBe(false)
    expect(temporaryDatabaseFile()).not.toBe(previous)
  })
})
