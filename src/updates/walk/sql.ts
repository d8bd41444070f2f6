/** A user's condition or expression as part of a statement: a comment at its end must not swallow what follows. */
export function enclosed(sql: string): string {
  return sql.includes('--') ? `(${sql}\n)` : `(${sql})`
}

/** A predicate and a user's condition in one. */
export function narrowed(predicate: string, condition: string | undefined): string {
  return condition === undefined ? predicate : `${predicate} AND ${enclosed(condition)}`
}
