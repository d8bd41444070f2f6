import { databaseErrorCode } from '../../databases/error-class.js'

/**
 * PostgreSQL says that it will never do this as things are: 22, an expression fails for some row; 42, the definition or
 * the rights; 0A, not possible; 54, a key is too long. Not the name that is taken: that is for the catalogue to explain.
 */
export function isRefusal(error: unknown): boolean {
  const code = databaseErrorCode(error) ?? ''
  return /^(22|42|0A|54)/.test(code) && !isNameTaken(error)
}

/** PostgreSQL says that a relation of that name exists. */
export function isNameTaken(error: unknown): boolean {
  return databaseErrorCode(error) === '42P07'
}
