import { describe } from '../options.js'

/** Why a text can't be the name of an update. The comma separates names in the column depends_on. */
export function updateNameProblems(label: string, name: unknown): string[] {
  if (typeof name !== 'string' || name === '')
    return [`${label} must be a text that isn't empty, not ${describe(name)}`]
  if (name.includes(','))
    return [`${label} ${JSON.stringify(name)} contains a comma, which separates names in depends_on`]
  if (name.trim() !== name) return [`${label} ${JSON.stringify(name)} begins or ends with a blank`]
  if (name.includes('\0') || !name.isWellFormed()) {
    return [`${label} ${JSON.stringify(name)} contains a character that a database can't store`]
  }
  return []
}
