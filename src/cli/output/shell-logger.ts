import { databaseErrorCode } from '../../databases/error-class.js'
import type { Logger } from '../../observe/logger.js'
import type { Style } from './style.js'
import { firstLine } from './update-words.js'

const quiet = () => {}

export const silentLogger: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet }

/** The engine's log as lines for people; `write` gets one line without its end. */
export function shellLogger(write: (line: string) => void, style: Style, verbose: boolean): Logger {
  const line = (label: string) => (details: object, message: string) => {
    write(`${label} ${subjectOf(details)}${message}${extrasOf(details, message)}`)
  }
  return {
    debug: quiet,
    info: verbose ? line(style.dim('info ')) : quiet,
    warn: line(style.yellow('warn ')),
    error: line(style.red('error')),
  }
}

function subjectOf(details: object): string {
  const { update } = details as { update?: unknown }
  return typeof update === 'string' ? `${update}: ` : ''
}

const LONGEST = 300

function extrasOf(details: object, message: string): string {
  const { attempts, error, key, progress } = details as Readonly<Record<string, unknown>>
  const code = databaseErrorCode(error)
  const extras = [
    ...(key === undefined ? [] : [`key ${asJson(key)}`]),
    ...(code === null ? [] : [code.startsWith('SQLITE_') ? code : `SQLSTATE ${code}`]),
    ...(typeof attempts === 'number' ? [`attempt ${attempts}`] : []),
    ...(typeof progress === 'object' && progress !== null ? [`began at ${asJson(progress)}`] : []),
    ...causesOf(error, message),
    ...reviewOf(details),
  ]
  return extras.length === 0 ? '' : ` (${extras.join(', ')})`
}

// What went wrong and what was behind it, as far as the message doesn't say it already.
function causesOf(error: unknown, message: string): string[] {
  const said = [message]
  const told: string[] = []
  for (let current = error; current instanceof Error && said.length <= 5; current = current.cause) {
    const text = firstLine(current.message)
    if (text !== '' && !said.some((earlier) => earlier.includes(text))) {
      told.push(shortened(current === error ? text : `caused by: ${text}`))
    }
    said.push(current.message)
  }
  return told
}

function asJson(value: unknown): string {
  return shortened(JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)))
}

function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}

// What the start found in the queue, in words.
function reviewOf(details: object): string[] {
  const { unknownRows, unknownDependencies, cycles } = details as Record<string, unknown>
  return [
    ...listed('no handler for', unknownRows),
    ...listed('unknown dependency', unknownDependencies),
    ...listed('cycle', cycles),
  ]
}

function listed(label: string, names: unknown): string[] {
  return Array.isArray(names) && names.length > 0 ? [`${label} ${names.join(', ')}`] : []
}
