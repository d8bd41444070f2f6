import { refuseProblems } from '../options.js'
import type { Dialect } from '../databases/database.js'
import type { JsonObject } from '../json.js'
import { encodeProgress } from '../queue/progress.js'
import { updateNameProblems } from '../queue/update-name.js'
import { tablesOf } from '../schema/tables.js'

export interface RowToWrite {
  readonly name: string
  readonly progress: JsonObject
  readonly dependsOn: readonly string[]
  readonly ordering: number
}

/**
 * The INSERT that enqueues an update, for a migration: the four public columns and nothing else, so that it stays right
 * with every later revision of the tables.
 */
export function enqueueSql(dialect: Dialect, schema: string | undefined, row: RowToWrite): string {
  const problems = [
    ...updateNameProblems('the name', row.name),
    ...row.dependsOn.flatMap((name) => updateNameProblems('--depends-on', name)),
  ]
  refuseProblems('enqueue', problems)
  const values: [column: string, value: string][] = [['update_name', literal(row.name)]]
  const progress = encodeProgress(row.name, row.progress)
  if (progress !== '{}') values.push(['progress_json', literal(progress)])
  if (row.dependsOn.length > 0) values.push(['depends_on', literal(row.dependsOn.join(', '))])
  if (row.ordering !== 0) values.push(['ordering', String(row.ordering)])
  return `INSERT INTO ${tablesOf(dialect, schema).queue} (${values.map(([column]) => column).join(', ')})
VALUES (${values.map(([, value]) => value).join(', ')});`
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
