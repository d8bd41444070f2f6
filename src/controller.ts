import { ConfigurationError, EvenkeelError } from './errors.js'
import { describe, refuseProblems, requireReadable, unknownOptionProblems } from './options.js'
import { messageOf } from './thrown.js'

/** What a controller is told about the batch that wants to start. */
export interface ControllerInfo {
  readonly updateName: string
  readonly databaseName: string
  readonly oneShot: boolean
}

/** The application's permission for one batch. */
export interface ControllerHandle {
  /** How long this batch should take, in ms. */
  readonly targetMs: number
  /** Called after the batch; with the error when it failed. */
  [Symbol.asyncDispose](error?: unknown): PromiseLike<void> | void
}

type Size = number | ((info: ControllerInfo) => number | Promise<number>)

/** The application's own hook round every batch: it may wait, and says the target. */
export interface Controller {
  onUpdate(info: ControllerInfo): ControllerHandle | PromiseLike<ControllerHandle>
  /** Size of the first batch of an update without saved state, in items. */
  readonly defaultBatchSize?: Size
  /** Smallest batch, in items; wins over the option of the updater. */
  readonly minBatchSize?: Size
}

/** The controller threw or returned something that can't be used. It delays the update and isn't its failure. */
export class ControllerError extends EvenkeelError {
  constructor(updateName: string, reason: string, cause?: unknown) {
    super('CONTROLLER', `the controller delays update "${updateName}": ${reason}`, {
      hint: 'Mend the application’s `onUpdate`; the update is tried again by itself.',
      cause,
    })
  }
}

export function checkController(controller: Controller): void {
  requireReadable('registerController', controller)
  if (typeof controller !== 'object' || controller === null)
    throw new ConfigurationError('registerController', ['give an object with onUpdate'])
  const problems = unknownOptionProblems(controller, ['onUpdate', 'defaultBatchSize', 'minBatchSize'])
  if (typeof controller.onUpdate !== 'function') problems.push('onUpdate must be a function')
  for (const name of ['defaultBatchSize', 'minBatchSize'] as const) {
    const value = controller[name]
    if (value === undefined || typeof value === 'function' || isSize(value)) continue
    problems.push(`${name} must be a whole number of at least 1 or a function, not ${describe(value)}`)
  }
  refuseProblems('registerController', problems)
}

/** What a controller said about one batch; `dispose` never throws. */
export interface Permission {
  readonly targetMs: number
  readonly defaultBatchSize: number | undefined
  readonly minBatchSize: number | undefined
  dispose(error?: unknown): Promise<unknown>
}

/**
 * Asks for permission and waits for it, but no longer than until `signal` aborts: then null, and a permission that
 * still comes is given back at once.
 */
export async function askPermission(
  controller: Controller,
  info: ControllerInfo,
  signal: AbortSignal,
): Promise<Permission | null> {
  const asked = ask(controller, info)
  let onAbort = () => {}
  const aborted = new Promise<null>((resolve) => {
    onAbort = () => resolve(null)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) resolve(null)
  })
  try {
    const permission = await Promise.race([asked, aborted])
    if (permission === null) void asked.then((late) => late.dispose()).catch(() => {})
    return permission
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function ask(controller: Controller, info: ControllerInfo): Promise<Permission> {
  let handle: ControllerHandle
  try {
    handle = await controller.onUpdate(info)
  } catch (error) {
    throw new ControllerError(info.updateName, `onUpdate threw: ${messageOf(error)}`, error)
  }
  if (typeof handle?.[Symbol.asyncDispose] !== 'function') {
    throw new ControllerError(info.updateName, 'onUpdate returned nothing with Symbol.asyncDispose')
  }
  const dispose = async (error?: unknown) => {
    try {
      await handle[Symbol.asyncDispose](error)
      return undefined
    } catch (disposeError) {
      return disposeError
    }
  }
  try {
    if (typeof handle.targetMs !== 'number' || !Number.isFinite(handle.targetMs) || handle.targetMs <= 0) {
      throw new ControllerError(
        info.updateName,
        `its targetMs is ${describe(handle.targetMs)}, not a number of ms above 0`,
      )
    }
    const defaultBatchSize = await sizeOf(controller, 'defaultBatchSize', info)
    const minBatchSize = await sizeOf(controller, 'minBatchSize', info)
    return { targetMs: handle.targetMs, defaultBatchSize, minBatchSize, dispose }
  } catch (error) {
    await dispose(error)
    throw error
  }
}

async function sizeOf(
  controller: Controller,
  name: 'defaultBatchSize' | 'minBatchSize',
  info: ControllerInfo,
): Promise<number | undefined> {
  const size = controller[name]
  if (size === undefined || typeof size === 'number') return size
  let value: unknown
  try {
    // A method of the controller, so that it may use `this`.
    value = await size.call(controller, info)
  } catch (error) {
    throw new ControllerError(info.updateName, `${name} threw: ${messageOf(error)}`, error)
  }
  if (!isSize(value))
    throw new ControllerError(info.updateName, `${name} is ${describe(value)}, not a whole number of at least 1`)
  return value
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1
}
