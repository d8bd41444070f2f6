import type { UpdateDefinition } from '../updates/definition.js'
import { previewSentence } from '../updates/preview/preview.js'
import { runPreview } from '../updates/preview/run-preview.js'
import type { Surroundings } from './work.js'

// The batch waits meanwhile, and so does whatever is behind it in the queue.
const LIMITS = { timeoutMs: 1_000, rows: 10_000 }

/** Says what an update is about to delete, before it deletes anything. */
export async function logPreview<Tx>(
  { database, databaseName, log }: Surroundings<Tx>,
  definition: UpdateDefinition<Tx, never>,
): Promise<void> {
  const { name } = definition
  // What a migration seeded into the progress isn't known here: the whole table is looked at.
  const preview = await runPreview(database, definition, {}, LIMITS)
  if (preview === null) return
  const { rows, exact, sample } = preview
  log.info(
    { update: name, database: databaseName, rows, exact, sample },
    `update "${name}" is about to begin: ${previewSentence(preview)}`,
  )
}
