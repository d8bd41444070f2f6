import { EvenkeelError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import type { EncodedKey } from '../../keyset/encoding.js'
import { keyEquals, keyOrder, keyParameters, keySelection } from '../../keyset/range.js'
import { readKey } from '../../keyset/row-key.js'
import type { KeyRange, WalkPlan } from '../../keyset/walk.js'
import type { BatchContext } from '../definition.js'
import { keyLabel, type WalkProgress } from '../walk/progress.js'
import { enclosed, narrowed } from '../walk/sql.js'
import { walkBatch } from '../walk/walk-batch.js'

/** What the verification keeps in the progress, and at the end in the history. */
export type Verification = {
  /** The pass that it is in, from 1. The one behind `maxVerifyPasses` only looks. */
  readonly pass: number
  /** Wrong rows that this pass has come across. */
  readonly found: number
  /** Rows that all passes repaired. */
  readonly repaired: number
  /** Rows still wrong: told when it is over. */
  readonly left?: number
  /** Keys of some rows that are still wrong. */
  readonly sample?: readonly EncodedKey[]
  readonly walk: WalkProgress
}

/** The walk is over, but rows are still wrong and can't be repaired. */
export class VerificationError extends EvenkeelError {
  /** How many rows the last look found. */
  readonly rowsLeft: number
  /** Keys of some of them. */
  readonly sample: readonly EncodedKey[]

  constructor(updateName: string, rowsLeft: number, passes: number, sample: readonly EncodedKey[], labels: string) {
    super(
      'VERIFICATION_FAILED',
      `backfill "${updateName}": ${rowsLeft} rows are still wrong after ${passes} passes of repair, for instance ${labels}`,
      {
        hint:
          'Either something keeps writing wrong rows, or the update can’t make them right. Mend the cause, then retry ' +
          'the update: it looks again when those rows have changed.',
        permanent: true,
      },
    )
    this.rowsLeft = rowsLeft
    this.sample = sample
  }
}

export const FIRST_PASS: Verification = { pass: 1, found: 0, repaired: 0, walk: {} }

/** How a verification finds and repairs. */
export interface VerificationMeans {
  /** SQL condition for a wrong row. */
  readonly wrong: string
  readonly maxPasses: number
  /** Repairs the wrong rows of a range; resolves to how many it changed. */
  repair(range: KeyRange): Promise<number>
}

/** One batch of the verification. `finished` means that a whole pass found nothing wrong. */
export async function verifyBatch<Tx>(
  context: BatchContext<Tx, JsonObject>,
  plan: WalkPlan,
  verification: Verification,
  means: VerificationMeans,
): Promise<{ readonly verification: Verification; readonly items: number; readonly finished: boolean }> {
  if (verification.left !== undefined) return lookAgain(context, plan, verification, means)
  const looksOnly = verification.pass > means.maxPasses
  let { found, repaired, sample = [] } = verification
  const step = await walkBatch(context, plan, verification.walk, {
    work: async (range) => {
      const wrong = await findWrong(context, plan, range, means.wrong)
      found += wrong.rows
      if (looksOnly) sample = [...sample, ...wrong.sample].slice(0, SAMPLE_SIZE)
      if (looksOnly || wrong.rows === 0) return 0
      const changed = await means.repair(range)
      repaired += changed
      return changed
    },
  })
  const next = { ...verification, found, repaired, walk: step.progress, ...(looksOnly ? { sample } : {}) }
  return { ...afterStep(next, step.finished, looksOnly), items: step.items }
}

const SAMPLE_SIZE = 5
const KEY = 'evenkeel_key_'

function afterStep(
  verification: Verification,
  passIsOver: boolean,
  lookedOnly: boolean,
): { readonly verification: Verification; readonly finished: boolean } {
  const { pass, found, repaired, sample = [] } = verification
  if (!passIsOver) return { verification, finished: false }
  if (found === 0) return { verification: { pass, found, repaired, left: 0, walk: {} }, finished: true }
  // Told by a batch of its own, so that the count and the sample are saved.
  if (lookedOnly) return { verification: { pass, found, repaired, left: found, sample, walk: {} }, finished: false }
  return { verification: { pass: pass + 1, found: 0, repaired, walk: {} }, finished: false }
}

async function findWrong<Tx>(
  { query, dialect }: BatchContext<Tx, JsonObject>,
  { tableSql, key }: WalkPlan,
  range: KeyRange,
  wrong: string,
): Promise<{ readonly rows: number; readonly sample: readonly EncodedKey[] }> {
  const { sql, values } = range.predicate()
  const count = dialect === 'postgres' ? '(count(*) OVER ())::int' : 'count(*) OVER ()'
  const { rows } = await query<Record<string, unknown> & { evenkeel_rows: number }>(
    `
    SELECT ${keySelection(key, KEY)}, ${count} AS evenkeel_rows
    FROM ${tableSql}
    WHERE ${narrowed(sql, wrong)}
    ORDER BY ${keyOrder(key)}
    LIMIT ${SAMPLE_SIZE}`,
    values,
  )
  return { rows: rows[0]?.evenkeel_rows ?? 0, sample: rows.map((row) => readKey(key, row, KEY)) }
}

// After a retry: if the rows that were named are right or gone, somebody has mended them, and all is looked at again.
async function lookAgain<Tx>(
  context: BatchContext<Tx, JsonObject>,
  plan: WalkPlan,
  verification: Verification,
  { wrong, maxPasses }: VerificationMeans,
) {
  const { left = 0, sample = [], repaired } = verification
  for (const key of sample) {
    if (!(await isWrong(context, plan, key, wrong))) continue
    const labels = sample.map((each) => keyLabel(plan, each)).join('; ')
    throw new VerificationError(context.update.name, left, maxPasses, sample, labels)
  }
  return { verification: { ...FIRST_PASS, repaired }, items: 0, finished: false }
}

async function isWrong<Tx>(
  { query }: BatchContext<Tx, JsonObject>,
  { tableSql, key }: WalkPlan,
  row: EncodedKey,
  wrong: string,
): Promise<boolean> {
  const { rows } = await query(
    `
    SELECT 1 AS wrong
    FROM ${tableSql}
    WHERE ${keyEquals(key, (column, index) => `$${index + 1}${column.cast}`)}
      AND ${enclosed(wrong)}`,
    keyParameters(key, row),
  )
  return rows.length > 0
}
