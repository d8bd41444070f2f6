import type { Closing, Database, PipelineOptions, QueryResult, Statement } from './database.js'

/**
 * A transaction whose first and last statements are known beforehand: in as few round trips as the driver can, or one
 * statement after the other.
 */
export function pipelinedTransaction<Tx, T>(
  database: Database<Tx>,
  opening: readonly Statement[],
  fn: (tx: Tx, opened: readonly QueryResult<never>[]) => Promise<Closing<T>>,
  options: PipelineOptions = {},
): Promise<T> {
  if (database.pipelinedTransaction) return database.pipelinedTransaction(opening, fn, options)
  return database.transaction(async (tx) => {
    const run = async ({ text, values, orElse }: Statement) => {
      options.signal?.throwIfAborted()
      const answer = await database.query<never>(tx, text, values)
      if (answer.rowCount === 0 && orElse) throw orElse()
      return answer
    }
    options.onBegin?.()
    const opened: QueryResult<never>[] = []
    for (const statement of opening) {
      opened.push(await run(statement))
      options.onAnswer?.(opened.length - 1)
    }
    const { result, closing } = await fn(tx, opened)
    for (const statement of closing) await run(statement)
    return result
  }, options)
}
