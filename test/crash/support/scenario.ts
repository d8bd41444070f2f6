import type { Database, Dialect, UpdateDefinition } from 'evenkeel'

/** Tables, and updates that change them: what is run, killed, and run again. */
export interface Scenario {
  readonly name: string
  readonly dialects: readonly Dialect[]
  /** A script that makes the tables and fills them. */
  readonly tables: (dialect: Dialect) => string
  /** New definitions at each call, as each process has its own. All of them are queued, unless `migrate` does it. */
  readonly updates: (dialect: Dialect) => UpdateDefinition<never, never>[]
  /** What a schema migration does before the updates run; called again after a crash. */
  readonly migrate?: (database: Database<never>) => Promise<unknown>
  /** Statements that must return no row when all is done. */
  readonly wrong: (dialect: Dialect) => readonly string[]
  /** How many rows must have been changed or deleted, each once. */
  readonly changed: number
}

export const BOTH: readonly Dialect[] = ['postgres', 'sqlite']

/** Three batches: a first one, a middle one, a last one. */
export const ROWS = 12
export const BATCH = 4

/** The numbers from 1 to `count`, as a table for FROM. */
export function numbers(count: number): string {
  return `(
  WITH RECURSIVE n(i) AS (
    SELECT 1
    UNION ALL
    SELECT i + 1 FROM n WHERE i < ${count}
  )
  SELECT i FROM n
) AS numbers`
}

/** A table `changes` to which a trigger adds a row for each row of `table` that is changed or deleted. */
export function countChanges(dialect: Dialect, table: string): string {
  const changes = `CREATE TABLE changes (id INTEGER NOT NULL, operation TEXT NOT NULL);`
  if (dialect === 'postgres') {
    return `${changes}
CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO changes VALUES (OLD.id, TG_OP);
  RETURN NULL;
END $$;
CREATE TRIGGER count_changes AFTER UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION count_change();`
  }
  return `${changes}
CREATE TRIGGER count_updates AFTER UPDATE ON ${table} BEGIN
  INSERT INTO changes VALUES (OLD.id, 'UPDATE');
END;
CREATE TRIGGER count_deletes AFTER DELETE ON ${table} BEGIN
  INSERT INTO changes VALUES (OLD.id, 'DELETE');
END;`
}
