/** What `evenkeel init` writes. */

export const CONFIG_TEMPLATE = `import { defineConfig } from 'evenkeel'
import { lowercaseEmails } from './updates/lowercase-emails.js'

export default defineConfig({
  // postgres://user:password@host/name, or sqlite:app.db. --database, EVENKEEL_DATABASE_URL and DATABASE_URL win over it.
  database: 'sqlite:app.db',
  updates: [lowercaseEmails],
})
`

export const UPDATE_TEMPLATE = `import { backfill } from 'evenkeel'

/** Fills users.email_lower, a few thousand rows at a time, beside everything else that the database does. */
export const lowercaseEmails = backfill({
  name: 'lowercase_emails',
  table: 'users',
  set: { email_lower: 'lower(email)' },
  where: 'email_lower IS NULL',
})
`
