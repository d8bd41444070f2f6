import { BackgroundUpdater, createIndex } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { expect, it, onTestFinished } from 'vitest'
import { memoryLogger, type LogEntry } from '../engine/support.js'
import { oldSnapshot, until, validity } from '../support/indexes.js'
import { describePostgres } from '../support/postgres.js'

describePostgres('an index build that has to wait', (postgres) => {
  const begun = async () => {
    const database = await postgres.freshDatabase()
    await database.pool.query('CREATE TABLE t (id int PRIMARY KEY, value int)')
    const logger = memoryLogger()
    const update = createIndex({ name: 'index', index: 't_value', table: 't', columns: ['value'], targetMs: 50 })
    const updater = new BackgroundUpdater({ database: fromPg(database.pool), updates: [update], logger })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue(update)
    const said = async (pattern: RegExp): Promise<LogEntry> => {
      for (;;) {
        const found = logger.entries.find(({ message }) => pattern.test(message))
        if (found) return found
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    return { database, updater, logger, said }
  }

  it('says whom it waits for: in the log once, and in the status with application, age and statement', async () => {
    const { database, updater, logger, said } = await begun()
    const { pid, holdsUpABuild, end } = await oldSnapshot(database)
    const done = updater.runToCompletion()
    await holdsUpABuild()
    const { level, message } = await said(/waits for pid/)
    expect(level).toBe('warn')
    expect(message).toMatch(new RegExp(`^update index \\(waiting for .*\\) waits for pid ${pid}`))
    const [status] = (await updater.databaseStatus()).updates
    expect(status?.detail).toMatch(
      new RegExp(`waits for pid ${pid} \\(idle in transaction, open for \\d+ s, .*SELECT pg_backend_pid`),
    )
    await end()
    await done
    expect(logger.entries.filter(({ message: text }) => text.includes(`waits for pid ${pid}`))).toHaveLength(1)
  })

  it('isn’t begun while a batch of ours has been open for longer than its target', async () => {
    const { database, updater, said } = await begun()
    const batch = await database.openClient()
    await batch.query(`SET application_name = 'evenkeel:slow'`)
    await batch.query('BEGIN')
    await batch.query('SELECT 1')
    await until(
      database.pool,
      `SELECT FROM pg_stat_activity WHERE application_name = 'evenkeel:slow' AND xact_start < clock_timestamp() - INTERVAL '60 ms'`,
    )
    const done = updater.runToCompletion()
    expect((await said(/waits for an open batch of ours/)).message).toContain('(evenkeel:slow)')
    const builds = `SELECT FROM pg_stat_progress_create_index WHERE datname = current_database()`
    expect((await database.pool.query(builds)).rowCount).toBe(0)
    expect(await validity(database.pool)).not.toHaveProperty('t_value')
    await batch.query('COMMIT')
    await done
    expect(await validity(database.pool)).toMatchObject({ t_value: true })
  })
})
