import { EvenkeelError } from '../../errors.js'
import { messageOf } from '../../thrown.js'

/** Another connection kept the SQLite file locked for longer than `busyTimeoutMs`. */
export class DatabaseBusyError extends EvenkeelError {
  constructor(file: string, busyTimeoutMs: number, cause: unknown) {
    super('DATABASE_BUSY', `another connection kept ${file} locked for longer than ${busyTimeoutMs} ms`, {
      hint:
        'Look for who else writes to it: a transaction that was left open, another process. Without WAL a reader may be it, ' +
        'too. Or raise `busyTimeoutMs` of fromBetterSqlite3.',
      cause,
    })
  }
}

/** The SQLite file can't be used: it is read-only, no database, or can't be opened. */
export class DatabaseFileError extends EvenkeelError {
  constructor(file: string, hint: string, cause: unknown) {
    super('DATABASE_FILE', `${file} can't be used: ${messageOf(cause)}`, { hint, cause })
  }
}

// By the beginning of SQLite's code: most have extended ones.
const FILE_HINTS = [
  [
    'SQLITE_READONLY',
    'Give this process the right to write to the file and to its folder, and look whether the file was moved or replaced.',
  ],
  [
    'SQLITE_NOTADB',
    'Look whether the name is right: this file is no SQLite database, or it is encrypted. Nothing was changed in it.',
  ],
  [
    'SQLITE_CANTOPEN',
    'Look whether the file and its folder are still there, and whether this process may write to the folder: SQLite keeps ' +
      'its journal beside the file.',
  ],
] as const

/** An error of SQLite that is a matter of the file, with the file's name and a remedy; every other as it is. */
export function explainFileError(error: unknown, file: string): unknown {
  const code = sqliteCode(error)
  const known = FILE_HINTS.find(([beginning]) => code?.startsWith(beginning))
  return known ? new DatabaseFileError(file, known[1], error) : error
}

/** Whether somebody else has the file locked. */
export function isBusy(error: unknown): boolean {
  return sqliteCode(error)?.startsWith('SQLITE_BUSY') ?? false
}

/** The code of an error of SQLite, or null; what caused an error isn't looked at. */
export function sqliteCode(error: unknown): string | null {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : null
}
