import { BackgroundUpdater, backfill, createIndex, defineUpdate } from 'evenkeel'
import { expect, it, onTestFinished } from 'vitest'
import { describeDatabases } from '../support/databases.js'

describeDatabases('the code of api.md', ({ fresh }) => {
  it('runs as it stands', async () => {
    const opened = await fresh()
    const { database } = opened
    const query = (text: string) => opened.query(text)
    await query('CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, email_lower TEXT)')
    await query("INSERT INTO users (id, email) VALUES (1, 'A@x'), (2, 'B@x'), (3, 'c@x')")
    const lowercaseEmails = backfill({
      name: 'lowercase_emails',
      table: 'users',
      set: { email_lower: 'lower(email)' },
      where: 'email_lower IS NULL',
    })
    const emailIndex = createIndex({
      name: 'users_email_lower_idx',
      index: 'users_email_lower_key',
      table: 'users',
      columns: ['email_lower'],
      unique: true,
      dependsOn: 'lowercase_emails',
    })
    const hashTokens = defineUpdate({
      name: 'hash_tokens',
      async batch({ batchSize }) {
        return { items: 0, progress: { lastId: 0 }, done: 0 < batchSize }
      },
    })

    const updater = new BackgroundUpdater<never>({ database, updates: [lowercaseEmails, emailIndex, hashTokens] })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue(lowercaseEmails)
    await updater.enqueue(emailIndex)
    await updater.start()
    await updater.waitFor('users_email_lower_idx')
    await updater.stop()

    expect((await query('SELECT email_lower FROM users ORDER BY id')).rows).toEqual([
      { email_lower: 'a@x' },
      { email_lower: 'b@x' },
      { email_lower: 'c@x' },
    ])
    await expect(query("INSERT INTO users VALUES (4, 'C@x', 'c@x')")).rejects.toThrow()
    expect((await updater.history()).map(({ name, outcome }) => [name, outcome])).toEqual([
      ['users_email_lower_idx', 'completed'],
      ['lowercase_emails', 'completed'],
    ])
  })
})
