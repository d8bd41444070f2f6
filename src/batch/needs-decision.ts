import type { UpdateDefinition } from '../updates/definition.js'
import { isMissingRelation } from '../databases/error-class.js'
import { DefinitionChangedError, SchemaMismatchError } from '../errors.js'
import type { ClaimedState } from '../queue/batch-record.js'

/**
 * Refuses to go on with progress that another definition made: rows before its bookmark and rows behind it would have
 * been treated differently, and nobody would know.
 *
 * @throws DefinitionChangedError
 */
export function refuseChangedDefinition(
  definition: Pick<UpdateDefinition, 'name' | 'fingerprint'>,
  { fingerprint, batches }: ClaimedState,
): void {
  if (definition.fingerprint === undefined || fingerprint === definition.fingerprint) return
  throw new DefinitionChangedError(definition.name, batches)
}

/**
 * Whether an error pauses the update instead of failing it: trying again can't help before a person has decided or mended
 * something, and nothing is wrong with the update itself.
 */
export function needsDecision(error: unknown): boolean {
  if (error instanceof DefinitionChangedError) return true
  return error instanceof SchemaMismatchError ? error.missing : isMissingRelation(error)
}
