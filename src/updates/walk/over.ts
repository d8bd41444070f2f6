import { isDeepStrictEqual } from 'node:util'
import { EvenkeelError } from '../../errors.js'
import type { WalkPlan } from '../../keyset/walk.js'

/** What a walk's position is a position in. */
export type WalkedOver = {
  /** With its schema. */
  readonly table: string
  readonly key: readonly string[]
  /** What each column of the key is ordered as: its type, and its collation where that isn't the default. */
  readonly order: readonly string[]
}

const START_ANEW = 'Cancel the update and enqueue it again: it starts anew.'

/** The saved position is of another walk: of another table, by another key, or by a key that is ordered otherwise now. */
export class WalkChangedError extends EvenkeelError {
  constructor(updateName: string, saved: Partial<WalkedOver>, now: WalkedOver) {
    const onlyOrder = isDeepStrictEqual({ ...saved, order: now.order }, now)
    super(
      'WALK_CHANGED',
      `update "${updateName}" has walked over ${labelOf(saved, onlyOrder)}, and is now to walk over ` +
        `${labelOf(now, onlyOrder)}: the position that it saved means nothing there`,
      {
        hint: onlyOrder
          ? `${START_ANEW} If all keys stand in the same order as before, write ${JSON.stringify(now.order)} into ` +
            '`over.order` of its progress_json, then retry it.'
          : `${START_ANEW} If the table or a column was only renamed, write the new name into \`over\` of its ` +
            'progress_json, then retry it.',
        permanent: true,
      },
    )
  }
}

/**
 * What the plan walks over, held against what the progress says; a migration that seeds a position needn't say it, nor
 * how the key was ordered.
 *
 * @throws WalkChangedError
 */
export function walkedOver(updateName: string, saved: unknown, plan: WalkPlan): WalkedOver {
  const { table, key } = plan
  const now = {
    table: `${table.schema}.${table.name}`,
    key: key.columns.map(({ name }) => name),
    order: orderOf(plan),
  }
  if (saved !== undefined && !isDeepStrictEqual(alike({ order: now.order, ...(saved as object) }), alike(now))) {
    throw new WalkChangedError(updateName, saved ?? {}, now)
  }
  return now
}

// A whole number of any width stands where it stood: a key that becomes bigint in mid-walk is no other key.
const WHOLE_NUMBERS: readonly unknown[] = ['int2', 'int4', 'int8']

function alike(over: { readonly order: unknown }): object {
  const { order } = over
  if (!Array.isArray(order)) return over
  return { ...over, order: order.map((type: unknown) => (WHOLE_NUMBERS.includes(type) ? 'integer' : type)) }
}

// By names, for oids are others in a restored database.
function orderOf({ table, key }: WalkPlan): string[] {
  return key.columns.map(({ name, collate }) => {
    const column = table.columns.find((each) => each.name === name)
    const collation = column?.collation == null ? '' : ` COLLATE ${column.collation}`
    return `${column?.orderType}${collate === '' ? collation : collate}`
  })
}

// Anybody may have written what is saved.
function labelOf({ table, key, order }: Partial<WalkedOver>, withOrder: boolean): string {
  if (!Array.isArray(key)) return `${String(table)} by (${String(key)})`
  const ordered = (name: unknown, index: number) => (withOrder ? `${String(name)} ${String(order?.[index])}` : name)
  return `${String(table)} by (${key.map(ordered).join(', ')})`
}
