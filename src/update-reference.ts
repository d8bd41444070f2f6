import { ConfigurationError } from './errors.js'
import { describe, refuseProblems, requireReadable, textProblems } from './options.js'

/** An update by its name or its definition. */
export type UpdateReference = string | { readonly name: string }

/** @throws ConfigurationError when it is neither */
export function nameOf(update: UpdateReference): string {
  requireReadable('update', update)
  const name: unknown = typeof update === 'string' ? update : update?.name
  if (typeof name !== 'string' || name === '') {
    throw new ConfigurationError('update', [`give the name of an update or its definition, not ${describe(update)}`])
  }
  refuseProblems('update', textProblems('the name', name))
  return name
}
