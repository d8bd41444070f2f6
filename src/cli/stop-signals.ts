import { ExitCode } from './exit-codes.js'

/** How a person or a supervisor asks a command to end. */
export interface StopRequests {
  /** Aborts at the first SIGINT or SIGTERM, or when the output can't be written any more: finish what is running. */
  readonly signal: AbortSignal
  /** Aborts at the second: cancel what is running. */
  readonly now: AbortSignal
  /** 130 or 143, by the first signal; 141 when the output's reader is gone, 1 when it fails otherwise. */
  readonly exitCode: ExitCode
  /** Gives the signals back to Node: the next one ends the process. */
  dispose(): void
}

/** Listens for SIGINT, SIGTERM and the end of whoever reads the output. The library never does: only the shell owns its process. */
export function listenForStop(): StopRequests {
  const soon = new AbortController()
  const now = new AbortController()
  let exitCode: ExitCode = ExitCode.INTERRUPTED
  const listen = (code: ExitCode) => () => {
    // A third one means it: whatever still runs is rolled back by the database.
    if (now.signal.aborted) process.exit(code)
    if (soon.signal.aborted) now.abort()
    else exitCode = code
    soon.abort()
  }
  // `evenkeel run | head`: to end at once would leave the lease held. Every further line fails too, and is no second wish.
  const onOutputError = (error: NodeJS.ErrnoException) => {
    if (soon.signal.aborted) return
    exitCode = error.code === 'EPIPE' ? ExitCode.UNREAD : ExitCode.ERROR
    soon.abort()
  }
  const onInterrupt = listen(ExitCode.INTERRUPTED)
  const onTerminate = listen(ExitCode.TERMINATED)
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onTerminate)
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onOutputError)
  return {
    signal: soon.signal,
    now: now.signal,
    get exitCode() {
      return exitCode
    },
    dispose() {
      process.off('SIGINT', onInterrupt)
      process.off('SIGTERM', onTerminate)
      for (const stream of [process.stdout, process.stderr]) stream.off('error', onOutputError)
    },
  }
}
