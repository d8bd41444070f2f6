import BetterSqlite3 from 'better-sqlite3'
import { sqliteSignals, type Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryDatabaseFile } from '../../support/sqlite.js'
import { calm, watch } from '../support.js'

it('signal foreground: somebody else who commits is seen, our own commits are not', async () => {
  const file = temporaryDatabaseFile()
  const writer = new BetterSqlite3(file)
  writer.exec('PRAGMA journal_mode = WAL; CREATE TABLE users (id INTEGER PRIMARY KEY, seen INTEGER)')
  const database = fromBetterSqlite3(file) as unknown as Database<never>
  onTestFinished(async () => {
    await database.close()
    writer.close()
  })
  const { sampler, until } = watch(database, sqliteSignals().signals)
  const look = async () => {
    const last = sampler.readings().find(({ signal }) => signal === 'foreground')?.lastReadMs
    return until('foreground', (reading) => reading.lastReadMs !== last)
  }
  await until('foreground', calm)
  for (let commit = 0; commit < 3; commit += 1) {
    await database.transaction((tx) => database.query(tx, 'INSERT INTO users (seen) VALUES (1)'))
    expect(await look()).toMatchObject({ value: 0, why: 'nobody else writes to the file' })
  }
  writer.exec('INSERT INTO users (seen) VALUES (2)')
  expect(await until('foreground', ({ verdict }) => verdict === 'pressure')).toMatchObject({
    value: 1,
    kind: 'gauge',
    why: 'others write to the file',
  })
  await until('foreground', calm)
})

it('signal foreground: somebody who writes all the time is seen by the first reading', async () => {
  const file = temporaryDatabaseFile()
  const writer = new BetterSqlite3(file)
  writer.exec('PRAGMA journal_mode = WAL; CREATE TABLE users (id INTEGER PRIMARY KEY, seen INTEGER)')
  const database = fromBetterSqlite3(file) as unknown as Database<never>
  const writing = setInterval(() => writer.exec('INSERT INTO users (seen) VALUES (1)'), 2)
  onTestFinished(async () => {
    clearInterval(writing)
    await database.close()
    writer.close()
  })
  const { until } = watch(database, sqliteSignals().signals)
  expect(await until('foreground', () => true)).toMatchObject({ verdict: 'pressure' })
})
