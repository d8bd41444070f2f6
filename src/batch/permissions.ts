import { askPermission, ControllerError, type Controller, type Permission } from '../controller.js'
import type { BackOffs } from '../queue/back-off.js'
import { backOffMs } from '../queue/failure-policy.js'
import type { Waiting } from '../queue/reasons.js'
import { settingsOf, type ResolvedSettings } from '../settings.js'
import { toError } from '../thrown.js'
import type { UpdateDefinition } from '../updates/definition.js'

/** A controller that threw: that update waits. */
export interface Refusal {
  readonly refused: ControllerError
}

/** Asks the application's controller before every batch, where there is one, and remembers whom it held back. */
export class Permissions<Tx> {
  controller: Controller | null = null
  readonly #databaseName: string
  readonly #settings: ResolvedSettings
  readonly #backOffs: BackOffs
  readonly #random: () => number
  /** The update whose controller is being asked. */
  #waiting: string | null = null
  // How often each update was refused in a row, and its last error.
  readonly #refusals = new Map<string, { readonly times: number; readonly error: Error }>()

  constructor(databaseName: string, settings: ResolvedSettings, backOffs: BackOffs, random: () => number) {
    this.#databaseName = databaseName
    this.#settings = settings
    this.#backOffs = backOffs
    this.#random = random
  }

  /**
   * Null when `stop` aborted meanwhile. A controller that throws holds the update back for a while; nothing is counted
   * on its row.
   */
  async ask(definition: UpdateDefinition<Tx, never>, stop: AbortSignal): Promise<Permission | Refusal | null> {
    const { name, oneShot } = definition
    if (this.controller === null) return unasked(settingsOf(this.#settings, definition).targetMs)
    this.#waiting = name
    try {
      const info = { databaseName: this.#databaseName, updateName: name, oneShot }
      const permission = await askPermission(this.controller, info, stop)
      if (permission !== null) this.#refusals.delete(name)
      return permission
    } catch (thrown) {
      const refused =
        thrown instanceof ControllerError ? thrown : new ControllerError(name, toError(thrown).message, thrown)
      const times = (this.#refusals.get(name)?.times ?? 0) + 1
      this.#refusals.set(name, { times, error: refused })
      this.#backOffs.set(name, backOffMs(times, this.#random))
      return { refused }
    } finally {
      this.#waiting = null
    }
  }

  /** Why updates are held back although the queue doesn't. */
  reasons(): Map<string, Waiting> {
    const reasons = new Map<string, Waiting>()
    for (const [name, { error }] of this.#refusals) {
      if (this.#backOffs.isHeldBack(name, 0)) reasons.set(name, { code: 'controller', text: error.message })
    }
    if (this.#waiting !== null) reasons.set(this.#waiting, { code: 'controller', text: 'waits for the controller' })
    return reasons
  }
}

const unasked = (targetMs: number): Permission => ({
  targetMs,
  defaultBatchSize: undefined,
  minBatchSize: undefined,
  dispose: async () => undefined,
})
