import type { Query } from '../databases/database.js'
import { quoteIdentifier } from '../databases/identifier.js'
import { AdoptionError } from '../errors.js'
import { TABLE_NAMES, type Tables } from './tables.js'

const PUBLIC_COLUMNS = ['update_name', 'progress_json', 'depends_on', 'ordering']

/** A queue table that was there before us; its rows are copied when ours is there. */
export interface Adoption {
  copyRows(): Promise<void>
}

/**
 * Prepares the take-over of a queue table that another tool made. PostgreSQL: the first revision adds the missing
 * columns in place. SQLite can't change a column's default: the old table steps aside and its rows are copied.
 */
export async function adoptExistingQueue(query: Query, tables: Tables): Promise<Adoption | null> {
  const columns = await columnsOf(query, tables)
  if (columns.length === 0) return null
  const missing = PUBLIC_COLUMNS.filter((column) => !columns.includes(column))
  if (missing.length > 0) throw new AdoptionError(tables.queue, `it has no column ${missing.join(', ')}`)
  if (tables.dialect === 'postgres') {
    if (!(await hasUniqueName(query, tables))) {
      throw new AdoptionError(tables.queue, 'update_name has neither a primary key nor a unique constraint')
    }
    return { copyRows: () => fillGaps(query, tables) }
  }

  const extra = columns.filter((column) => !PUBLIC_COLUMNS.includes(column))
  if (extra.length > 0) throw new AdoptionError(tables.queue, `it has further columns: ${extra.join(', ')}`)
  const aside = quoteIdentifier(`${TABLE_NAMES.queue}_before_evenkeel`, 'sqlite')
  await query(`ALTER TABLE ${tables.queue} RENAME TO ${aside}`)
  return {
    async copyRows() {
      await query(
        `INSERT INTO ${tables.queue} (update_name, progress_json, depends_on, ordering)
         SELECT update_name, COALESCE(progress_json, '{}'), depends_on, COALESCE(ordering, 0)
         FROM ${aside}`,
      )
      await query(`DROP TABLE ${aside}`)
    },
  }
}

async function hasUniqueName(query: Query, tables: Tables): Promise<boolean> {
  const { rows } = await query(
    `SELECT 1
     FROM pg_index
     JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
     WHERE indrelid = to_regclass($1)
       AND indisunique
       AND indisvalid
       AND indpred IS NULL
       AND indnkeyatts = 1
       AND attname = 'update_name'`,
    [tables.queue],
  )
  return rows.length > 0
}

// The old table may have allowed NULL where ours has a default.
async function fillGaps(query: Query, tables: Tables): Promise<void> {
  await query(
    `UPDATE ${tables.queue}
     SET progress_json = COALESCE(progress_json, '{}'),
         ordering = COALESCE(ordering, 0)
     WHERE progress_json IS NULL OR ordering IS NULL`,
  )
  await query(
    `ALTER TABLE ${tables.queue}
     ALTER COLUMN progress_json SET NOT NULL,
     ALTER COLUMN ordering SET NOT NULL`,
  )
}

async function columnsOf(query: Query, tables: Tables): Promise<string[]> {
  const { rows } =
    tables.dialect === 'postgres'
      ? await query<{ name: string }>(
          `SELECT attname::text AS name
           FROM pg_attribute
           WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
          [tables.queue],
        )
      : await query<{ name: string }>('SELECT name FROM pragma_table_info($1)', [TABLE_NAMES.queue])
  return rows.map((row) => row.name)
}
