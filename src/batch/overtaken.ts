/**
 * Another update may have come before this one in the queue, or this one got a dependency: its batch isn't run, and the
 * queue is looked at again. Never seen outside.
 */
export class OvertakenError extends Error {
  constructor(updateName: string) {
    super(`update "${updateName}" may have to let another go first`)
  }
}
