import { isDeepStrictEqual } from 'node:util'
import { EvenkeelError } from '../../errors.js'
import type { WalkPlan } from '../../keyset/walk.js'

/** What a walk's position is a position in. */
export type WalkedOver = {
  /** With its schema. */
  readonly table: string
  readonly key: readonly string[]
}

/** The saved position is of another walk: of another table, or by another key. */
export class WalkChangedError extends EvenkeelError {
  constructor(updateName: string, saved: Partial<WalkedOver>, now: WalkedOver) {
    super(
      'WALK_CHANGED',
      `update "${updateName}" has walked over ${labelOf(saved)}, and is now to walk over ${labelOf(now)}: the position that ` +
        'it saved means nothing there',
      {
        hint:
          'Cancel the update and enqueue it again: it starts anew. If the table or a column was only renamed, write the ' +
          'new name into `over` of its progress_json, then retry it.',
        permanent: true,
      },
    )
  }
}

/**
 * What the plan walks over, held against what the progress says; a migration that seeds a position needn't say it.
 *
 * @throws WalkChangedError
 */
export function walkedOver(updateName: string, saved: unknown, { table, key }: WalkPlan): WalkedOver {
  const now = { table: `${table.schema}.${table.name}`, key: key.columns.map(({ name }) => name) }
  if (saved !== undefined && !isDeepStrictEqual(saved, now)) {
    throw new WalkChangedError(updateName, saved ?? {}, now)
  }
  return now
}

// Anybody may have written what is saved.
function labelOf({ table, key }: Partial<WalkedOver>): string {
  return `${String(table)} by (${Array.isArray(key) ? key.join(', ') : String(key)})`
}
