import { classifyError } from '../../databases/error-class.js'
import type { Output } from './output.js'

/** Tells of an error on stderr: what happened, what to do next, and no stack unless EVENKEEL_DEBUG asks for it. */
export function printError(output: Output, error: unknown, debug: boolean): void {
  const style = output.errorStyle
  output.note(`${style.red('error')}: ${messageOf(error)}`)
  const hint = hintOf(error)
  if (hint !== null) output.note(`${style.cyan('hint')}: ${hint}`)
  if (debug) output.note(stackOf(error))
}

/** The problems of a configuration stand in its message already, one sentence each; here they get a line each. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const problems = (error as { problems?: unknown }).problems
  if (Array.isArray(problems) && problems.length > 1) {
    const subject = error.message.slice(0, error.message.indexOf(String(problems[0])))
    return `${subject.trimEnd()}\n${problems.map((problem) => `  - ${String(problem)}`).join('\n')}`
  }
  return error.message || emptyMessage(error)
}

// Node's AggregateError of a refused connection has no message of its own.
function emptyMessage(error: Error): string {
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : undefined
  if (inner instanceof Error && inner.message !== '') return inner.message
  return String((error as { code?: unknown }).code ?? error.name)
}

function hintOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const { hint } = error as { hint?: unknown }
  // pg's own errors have a `hint` too.
  if (typeof hint === 'string' && hint !== '') return hint
  if (classifyError(error) === 'connection') {
    return 'Is the database server running, and is the address right? --database, EVENKEEL_DATABASE_URL, DATABASE_URL and the config file say where it is.'
  }
  return null
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const cause = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}
