import type { JsonObject } from '../../json.js'
import type { KeyRange } from '../../keyset/walk.js'
import type { BatchContext } from '../definition.js'
import { narrowed } from '../walk/sql.js'
import type { BackfillOptions, BackfillRange, RunSql } from './options.js'

/** Hands one range to the user's `run`; resolves to how many rows it changed. */
export async function runOver<Tx>(
  { query, tx, signal, log, update, dialect }: BatchContext<Tx, JsonObject>,
  run: NonNullable<BackfillOptions<Tx>['run']>,
  keyRange: KeyRange,
  condition: string | undefined,
): Promise<number> {
  const predicates = new Set<unknown>()
  const predicate = (alias?: string) => {
    const text = narrowed(keyRange.literalPredicate(alias), condition)
    predicates.add(text)
    return text
  }
  const range: BackfillRange = { sql: predicate(), rows: keyRange.rows, upper: keyRange.upper, qualified: predicate }
  let counted = 0
  const sql: RunSql = async (text: string | TemplateStringsArray, ...rest: readonly unknown[]) => {
    const statement =
      typeof text === 'string'
        ? { text, values: (rest[0] ?? []) as readonly unknown[] }
        : fromTemplate(text, rest, predicates)
    const result = await query<never>(statement.text, statement.values)
    counted += result.rowCount
    return result
  }
  const returned = await run({ sql, tx, range, signal, log, update, dialect })
  if (typeof returned === 'string') await sql(returned)
  return typeof returned === 'number' ? returned : Math.max(counted, rowsOf(returned))
}

// In a template what is put in is a parameter, but for the predicate, which is SQL.
function fromTemplate(strings: TemplateStringsArray, inserted: readonly unknown[], predicates: ReadonlySet<unknown>) {
  const values: unknown[] = []
  const pieces = inserted.map((value, index) => {
    const sql = predicates.has(value) ? String(value) : `$${values.push(value)}`
    return `${sql}${strings[index + 1] ?? ''}`
  })
  return { text: `${strings[0] ?? ''}${pieces.join('')}`, values }
}

// What a statement on `tx` itself returns: `rowCount` with pg, `changes` with better-sqlite3.
function rowsOf(returned: unknown): number {
  const { rowCount, changes } = (returned ?? {}) as { rowCount?: unknown; changes?: unknown }
  return [rowCount, changes].find((rows) => typeof rows === 'number') ?? 0
}
