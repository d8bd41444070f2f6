import { sqliteSignals, type Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import BetterSqlite3 from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { BusyShare } from '../../../src/signals/sqlite/busy-writers.js'
import { temporaryDatabaseFile } from '../../support/sqlite.js'
import { calm, stops, unknown, watch } from '../support.js'

function open(): { database: Database<never>; writer: BetterSqlite3.Database } {
  const file = temporaryDatabaseFile()
  const writer = new BetterSqlite3(file)
  writer.exec('PRAGMA journal_mode = WAL; CREATE TABLE users (id INTEGER PRIMARY KEY, seen INTEGER)')
  const database = fromBetterSqlite3(file) as unknown as Database<never>
  onTestFinished(async () => {
    await database.close()
    writer.close()
  })
  return { database, writer }
}

// Long enough for a first try: the driver is synchronous.
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('signal busy writers', () => {
  it('counts the transactions that had to wait for another writer, and how long', async () => {
    const { database, writer } = open()
    const counts = () => database.busyWaits?.()
    await database.transaction(async () => {})
    expect(counts()).toEqual({ begins: 1, waits: 0, waitedMs: 0 })
    writer.exec('BEGIN IMMEDIATE')
    const waiting = database.transaction(async () => {})
    await turn()
    writer.exec('COMMIT')
    await waiting
    expect(counts()).toMatchObject({ begins: 2, waits: 1 })
    expect(counts()?.waitedMs).toBeGreaterThan(0)
    // One that gave up waited too.
    writer.exec('BEGIN IMMEDIATE')
    const given = new AbortController()
    const giving = expect(database.transaction(async () => {}, { signal: given.signal })).rejects.toThrow()
    await turn()
    given.abort()
    await giving
    writer.exec('COMMIT')
    expect(counts()).toMatchObject({ begins: 3, waits: 2 })
  })

  it('a writer who holds the file nearly all the time stops the work, and when he goes it goes on', async () => {
    const { database, writer } = open()
    const { until } = watch(database, sqliteSignals().signals, {
      own: { busyWaits: () => database.busyWaits?.() ?? null },
    })
    await until('busy writers', calm)
    let there = true
    const ours = (async () => {
      while (there) {
        // His transaction is open when ours begins, and ends while ours waits.
        writer.exec('BEGIN IMMEDIATE')
        const waiting = database.transaction(async () => {})
        await turn()
        writer.exec('COMMIT')
        await waiting
      }
    })()
    const busy = await until('busy writers', stops)
    expect(busy.why).toMatch(/^\d+ % of our transactions found another writer, .+ \(limit 50 %\)$/)
    there = false
    await ours
    await until('busy writers', calm)
  })

  it('is unknown where the driver counts nothing', async () => {
    const { database } = open()
    await watch(database, sqliteSignals().signals).until('busy writers', unknown)
  })

  it('is a share whatever is counted, and fades when nobody asks', () => {
    const steps = fc.array(fc.record({ begins: fc.nat(50), waited: fc.double({ min: 0, max: 1, noNaN: true }) }))
    fc.assert(
      fc.property(steps, (counted) => {
        const start = { begins: 7, waits: 3, waitedMs: 5 }
        const share = new BusyShare(start)
        const now = { ...start }
        for (const { begins, waited } of counted) {
          now.begins += begins
          now.waits += Math.round(begins * waited)
          now.waitedMs += 1
          const { value } = share.after({ ...now }, 0.5)
          expect(value).toBeGreaterThanOrEqual(0)
          expect(value).toBeLessThanOrEqual(1)
        }
        for (let quiet = 0; quiet < 10; quiet += 1) share.after({ ...now }, 0.5)
        expect(share.after({ ...now }, 0.5).verdict).toBe('calm')
      }),
    )
  })
})
