/** What runs in the thread: the updater of a module, and the conversation about it with the thread that asked for it. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import type { UpdaterEvents } from '../observe/events.js'
import { loadUpdater, type LoadedUpdater } from './load-updater.js'
import { EVENT_NAMES } from '../observe/events.js'
import type { Answer, Request, ThreadData } from './protocol.js'
import { fromWire, toWire, type WireError } from './wire-error.js'

if (parentPort !== null) await converse(parentPort, workerData as ThreadData)

// Messages that come before there is a listener wait in the port.
async function converse(port: MessagePort, data: ThreadData): Promise<void> {
  const say = (answer: Answer) => port.postMessage(answer)
  try {
    const loaded = await loadUpdater(data)
    for (const name of EVENT_NAMES) loaded.updater.on(name, (event) => say(eventAnswer(name, event)))
    listen(port, loaded, say)
  } catch (error) {
    say({ type: 'failed', error: toWire(error) })
  }
}

function listen(port: MessagePort, { updater, close }: LoadedUpdater, say: (answer: Answer) => void): void {
  const running = new Map<number, AbortController>()
  const call = async ({ id, method, args, signalAt }: Request & { type: 'call' }) => {
    const abort = new AbortController()
    running.set(id, abort)
    try {
      const given = args.map((arg, index) => (index === signalAt ? { ...(arg as object), signal: abort.signal } : arg))
      const value: unknown = await (updater[method] as (...given: readonly unknown[]) => unknown).apply(updater, given)
      say({ type: 'result', id, value })
    } catch (error) {
      say({ type: 'error', id, error: toWire(error) })
    } finally {
      running.delete(id)
    }
  }
  port.on('message', (request: Request) => {
    if (request.type === 'call') void call(request)
    else if (request.type === 'abort') running.get(request.id)?.abort(fromWire(request.reason))
    else
      close().then(
        () => say({ type: 'closed' }),
        (error: unknown) => say({ type: 'failed', error: toWire(error) }),
      )
  })
}

function eventAnswer<Name extends keyof UpdaterEvents>(name: Name, event: UpdaterEvents[Name]): Answer {
  const errors: Record<string, WireError> = {}
  const data: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(event)) {
    if (value instanceof Error) errors[key] = toWire(value)
    else data[key] = value
  }
  return { type: 'event', name, event: data, errors }
}
