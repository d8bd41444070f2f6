import { styles, type Style } from './style.js'

/** The part of `process.stdout` and `process.stderr` that is used. */
export interface Stream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

export interface OutputOptions {
  readonly stdout: Stream
  readonly stderr: Stream
  readonly environment: Readonly<Record<string, string | undefined>>
  /** False after `--no-color`. */
  readonly color: boolean
}

/** Where every line of the shell goes: results to stdout, what is said about them to stderr. */
export class Output {
  readonly stdout: Stream
  readonly style: Style
  /** Styles for stderr, which may be a pipe while stdout is a terminal. */
  readonly errorStyle: Style
  /** Whether lines can be drawn over: stdout is a terminal that obeys escape codes. */
  readonly live: boolean
  readonly #stderr: Stream

  constructor({ stdout, stderr, environment, color }: OutputOptions) {
    const dumb = environment.TERM === 'dumb'
    const wanted = color && (environment.NO_COLOR ?? '') === '' && !dumb
    this.stdout = stdout
    this.#stderr = stderr
    this.style = styles(wanted && stdout.isTTY === true)
    this.errorStyle = styles(wanted && stderr.isTTY === true)
    this.live = stdout.isTTY === true && !dumb
  }

  get columns(): number {
    return this.stdout.columns ?? 80
  }

  get rows(): number {
    return this.stdout.rows ?? 24
  }

  line(text = ''): void {
    this.stdout.write(`${text}\n`)
  }

  /** One JSON document, for programs. */
  json(value: unknown): void {
    this.line(JSON.stringify(value, jsonText, 2))
  }

  /** One JSON document in one line, for streams of events. */
  jsonLine(value: unknown): void {
    this.line(JSON.stringify(value, jsonText))
  }

  note(text: string): void {
    this.#stderr.write(`${text}\n`)
  }
}

function jsonText(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (!(value instanceof Error)) return value
  const { name, message, code, hint } = value as Error & { code?: unknown; hint?: unknown }
  return { name, code, message, hint }
}
