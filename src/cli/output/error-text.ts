import { classifyError } from '../../databases/error-class.js'
import type { UpdateNeedingPerson } from '../../errors.js'
import type { Output } from './output.js'
import { firstLine } from './update-words.js'

/** Tells of an error on stderr: what happened, what to do next, and no stack unless EVENKEEL_DEBUG asks for it. */
export function printError(output: Output, error: unknown, debug: boolean): void {
  const style = output.errorStyle
  output.note(`${style.red('error')}: ${messageOf(error)}`)
  const hint = hintOf(error)
  if (hint !== null) output.note(`${style.cyan('hint')}: ${hint}`)
  if (debug) output.note(stackOf(error))
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { problems, updates } = error as { problems?: unknown; updates?: unknown }
  // What is one long sentence in a log gets a line each here.
  if (isListOf(problems, 'string')) return listed(error.message, problems)
  if (isListOf(updates, 'object')) {
    const stuck = updates as readonly Partial<UpdateNeedingPerson>[]
    return listed(
      error.message,
      stuck.map(({ name, text }) => `${name}: ${text}`),
    )
  }
  return error.message || emptyMessage(error)
}

function isListOf(value: unknown, type: 'string' | 'object'): value is readonly never[] {
  return Array.isArray(value) && value.length > 1 && value.every((entry) => typeof entry === type)
}

/** The start of the message, up to its first item, and the items. */
function listed(message: string, items: readonly string[]): string {
  const at = message.indexOf(items[0] ?? '')
  const lines = items.map((item) => `  - ${firstLine(item)}`).join('\n')
  return `${message.slice(0, Math.max(at, 0)).trimEnd()}\n${lines}`
}

// Node's AggregateError of a refused connection has no message of its own.
function emptyMessage(error: Error): string {
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : undefined
  if (inner instanceof Error && inner.message !== '') return inner.message
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : error.name
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
