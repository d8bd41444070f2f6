import type { UpdateStatus } from '../../status.js'
import { ExitCode } from '../exit-codes.js'
import { firstLine } from './update-words.js'

/** What a verb brought about: in words, and as the code to end with. */
export interface ControlOutcome {
  readonly words: string
  readonly exitCode: ExitCode
}

/** An update as it was queued before or after a verb; undefined when it isn't queued. */
type Queued = Pick<UpdateStatus, 'name' | 'state' | 'waiting' | 'lastError'> | undefined

/** What is so after a pause, which a failed update doesn't take. */
export function afterPause(after: Queued): ControlOutcome {
  if (after === undefined) return HAS_LEFT
  if (after.waiting?.code === 'paused') return done('paused')
  if (after.state === 'failed') return stuck("is failed, which a pause doesn't change: retry or cancel it")
  return stuck('was paused and is not any more: somebody resumed it meanwhile')
}

/** What is so after a resume, which only ends a pause. */
export function afterResume(before: Queued, after: Queued): ControlOutcome {
  if (after === undefined) return HAS_LEFT
  if (after.state === 'failed') return stuck("is failed, which a resume doesn't change: retry or cancel it")
  if (after.waiting?.code === 'paused') return stuck(`is paused again, ${firstLine(after.waiting.text)}`)
  if (before?.waiting?.code === 'paused') return done('resumed')
  return done(`was not paused; it is ${after.state}`)
}

/** What is so after a retry, which clears failures but ends no pause. */
export function afterRetry(before: Queued, after: Queued, quarantined: boolean): ControlOutcome {
  const rows = quarantined ? ', with the rows that were set aside' : ''
  if (after?.waiting?.code === 'paused') {
    return stuck(
      `stays ${firstLine(after.waiting.text)}. Its failures are cleared; resume it to have it tried again${rows}`,
    )
  }
  if (after?.state === 'failed') return stuck(`has failed again: ${firstLine(after.lastError ?? 'unknown error')}`)
  if (quarantined || before === undefined || hadFailed(before)) return done(`will be tried again${rows}`)
  return after === undefined ? HAS_LEFT : done(`had not failed; it is ${after.state}`)
}

const HAS_LEFT = done('has left the queue meanwhile: see `evenkeel history`')

function hadFailed({ state, lastError }: NonNullable<Queued>): boolean {
  return state === 'failed' || lastError !== null
}

function done(words: string): ControlOutcome {
  return { words, exitCode: ExitCode.DONE }
}

function stuck(words: string): ControlOutcome {
  return { words, exitCode: ExitCode.NEEDS_PERSON }
}
