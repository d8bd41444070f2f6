import BetterSqlite3 from 'better-sqlite3'
import { backfill } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { installed, observed } from '../engine/support.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'

it('who loses the race for an update on SQLite waits: there are no lanes to take', async () => {
  const file = temporaryDatabaseFile()
  const rival = new BetterSqlite3(file)
  onTestFinished(() => void rival.close())
  rival.pragma('journal_mode = WAL')
  rival.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t (id) VALUES (1)')
  const own = fromBetterSqlite3(file)
  onTestFinished(() => own.close())
  let claims = 0
  const database = observed(own as never, (text) => {
    if (!/SET lease_owner = \$2/.test(text)) return
    claims += 1
    if (claims === 1) {
      rival.exec(
        "UPDATE background_updates SET lease_owner = 'rival', lease_token = 'r', lease_expires_at = '2999-01-01T00:00:00.000Z'",
      )
    }
  })
  const update = backfill({ name: 'number', table: 't', set: { n: '1' } })
  const updater = await installed({ database }, { updates: [update] })
  await updater.enqueue('number')
  expect(await updater.runNextBatch()).toEqual({ ran: null, complete: false })
  expect(claims).toBe(1)
  rival.exec('UPDATE background_updates SET lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL')
  expect(await updater.runNextBatch()).toMatchObject({ ran: 'number' })
})
