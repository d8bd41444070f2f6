import { databaseErrorCode } from '../../databases/error-class.js'
import type { Logger } from '../../observe/logger.js'
import type { Style } from './style.js'

const quiet = () => {}

export const silentLogger: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet }

/** The engine's log as lines for people; `write` gets one line without its end. */
export function shellLogger(write: (line: string) => void, style: Style, verbose: boolean): Logger {
  const line = (label: string) => (details: object, message: string) => {
    write(`${label} ${subjectOf(details)}${message}${extrasOf(details)}`)
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

function extrasOf(details: object): string {
  const { attempts, error } = details as { attempts?: unknown; error?: unknown }
  const code = databaseErrorCode(error)
  const extras = [
    ...(code === null ? [] : [code.startsWith('SQLITE_') ? code : `SQLSTATE ${code}`]),
    ...(typeof attempts === 'number' ? [`attempt ${attempts}`] : []),
    ...reviewOf(details),
  ]
  return extras.length === 0 ? '' : ` (${extras.join(', ')})`
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
