/** What runs in the worker: the updates, and which database they are for. */
import { backfill, defineConfig } from 'evenkeel'

/** @param {{ file: string }} data what the application handed over */
export default ({ file }) =>
  defineConfig({
    database: file,
    updates: [
      backfill({
        name: 'lowercase_emails',
        table: 'users',
        set: { email_lower: 'lower(email)' },
        where: 'email_lower IS NULL',
        verify: 'email_lower IS NOT lower(email)',
      }),
    ],
  })
