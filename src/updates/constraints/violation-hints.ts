/** The remedy for NULLs in a column that is to be NOT NULL: no `onViolation` could know what to write there. */
export function fillFirst(column: string): string {
  return `Fill "${column}" in these rows, by a \`backfill\` that this update depends on; then try again.`
}

/** On PostgreSQL the constraint that was not validated is there and holds for what is written, which a person must know. */
export function staysNotValid(constraint: string, table: string): string {
  return (
    `No row was changed. The constraint stays NOT VALID and refuses new rows that violate it, also after a cancel; ` +
    `ALTER TABLE "${table}" DROP CONSTRAINT "${constraint}" takes it away.`
  )
}
