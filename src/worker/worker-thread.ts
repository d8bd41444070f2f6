import { Worker, type WorkerOptions } from 'node:worker_threads'
import { EvenkeelError } from '../errors.js'
import type { UpdaterEvents } from '../observe/events.js'
import type { Answer, Method, Request, ThreadData } from './protocol.js'
import { fromWire, toWire } from './wire-error.js'
import { messageOf } from '../thrown.js'

/** The thread of a `WorkerUpdater` ended before it was told to: an error outside of every batch, memory, `terminate()`. */
export class WorkerEndedError extends EvenkeelError {
  constructor(reason: string, cause?: unknown) {
    super('WORKER_ENDED', `the worker thread of the updater has ended: ${reason}`, {
      hint:
        'Committed batches stay, the running one was rolled back. Mend the cause; the next call, such as start(), makes ' +
        'another thread, which goes on when the lease of the old one has run out.',
      cause,
    })
  }
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly signal: AbortSignal | undefined
}

export interface ThreadParts {
  readonly data: ThreadData
  readonly options: Pick<WorkerOptions, 'env' | 'execArgv' | 'resourceLimits'>
  onEvent<Name extends keyof UpdaterEvents>(name: Name, event: UpdaterEvents[Name]): void
  /** Once; null when it was closed. */
  onEnd(error: Error | null): void
}

/** One thread: asks it and hears it. Never used again after its end. */
export class WorkerThread {
  readonly #worker: Worker
  readonly #parts: ThreadParts
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  // While it is held, or something is asked, the process stays alive for it.
  #held = false
  // Invariant: set once, by whatever ended it first; undefined while it lives, null after close().
  #end: Error | null | undefined
  #closed: (() => void) | null = null

  constructor(parts: ThreadParts) {
    this.#parts = parts
    this.#worker = new Worker(new URL('./thread.js', import.meta.url), { ...parts.options, workerData: parts.data })
    this.#worker.unref()
    this.#worker.on('message', (answer: Answer) => this.#hear(answer))
    this.#worker.on('error', (error: unknown) => this.#ended(new WorkerEndedError(messageOf(error), error)))
    this.#worker.on('exit', (code) => this.#ended(new WorkerEndedError(`it exited with code ${code}`)))
  }

  get alive(): boolean {
    return this.#end === undefined
  }

  hold(held: boolean): void {
    this.#held = held
    this.#keepAlive()
  }

  call(method: Method, args: readonly unknown[]): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end ?? new WorkerEndedError('it was closed'))
    const signalAt = args.findIndex((arg) => signalOf(arg) !== undefined)
    const signal = signalAt === -1 ? undefined : signalOf(args[signalAt])
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    const id = this.#nextId
    this.#nextId += 1
    const { promise, resolve, reject } = withResolvers()
    const given = args.map((arg, index) => (index === signalAt ? { ...(arg as object), signal: undefined } : arg))
    // Throws for what can't be cloned, before anything waits for an answer.
    this.#say({ type: 'call', id, method, args: given, signalAt: signalAt === -1 ? null : signalAt })
    const onAbort = () => this.#say({ type: 'abort', id, reason: toWire(signal?.reason) })
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#pending.set(id, { resolve, reject, signal })
    this.#keepAlive()
    return promise.finally(() => {
      signal?.removeEventListener('abort', onAbort)
      this.#pending.delete(id)
      this.#keepAlive()
    })
  }

  /** Closes its database and ends it. */
  async close(): Promise<void> {
    if (!this.alive) return
    this.hold(true)
    const closed = new Promise<void>((resolve) => {
      this.#closed = resolve
    })
    this.#say({ type: 'close' })
    await closed
    this.#ended(null)
    await this.#worker.terminate()
  }

  /** Ends it at once, whatever it does. */
  async terminate(): Promise<void> {
    this.#ended(new WorkerEndedError('it was terminated'))
    await this.#worker.terminate()
  }

  #say(request: Request): void {
    if (this.alive) this.#worker.postMessage(request)
  }

  #hear(answer: Answer): void {
    switch (answer.type) {
      case 'result':
        this.#pending.get(answer.id)?.resolve(answer.value)
        break
      case 'error': {
        const pending = this.#pending.get(answer.id)
        // The caller knows its own reason by identity.
        pending?.reject(pending.signal?.aborted ? pending.signal.reason : fromWire(answer.error))
        break
      }
      case 'event':
        this.#event(answer)
        break
      case 'closed':
        this.#closed?.()
        break
      case 'failed':
        this.#ended(fromWire(answer.error))
        void this.#worker.terminate()
        break
    }
  }

  #event({ name, event, errors }: Answer & { type: 'event' }): void {
    const revived = Object.fromEntries(Object.entries(errors).map(([key, error]) => [key, fromWire(error)]))
    this.#parts.onEvent(name, { ...event, ...revived } as never)
  }

  #ended(error: Error | null): void {
    if (this.#end !== undefined) return
    this.#end = error
    this.#closed?.()
    for (const { reject } of this.#pending.values()) reject(error ?? new WorkerEndedError('it was closed'))
    this.#parts.onEnd(error)
  }

  #keepAlive(): void {
    if (this.#held || this.#pending.size > 0) this.#worker.ref()
    else this.#worker.unref()
  }
}

function signalOf(arg: unknown): AbortSignal | undefined {
  const signal: unknown = typeof arg === 'object' && arg !== null && 'signal' in arg ? arg.signal : undefined
  return signal instanceof AbortSignal ? signal : undefined
}

function withResolvers() {
  let resolve!: (value: unknown) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<unknown>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
