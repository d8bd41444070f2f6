import type { Dialect } from './databases/database.js'
import { UnsupportedError } from './errors.js'
import type { UpdateDefinition } from './updates/definition.js'

/** The updates that this process has handlers for, by name. */
export class Registry<Tx> {
  readonly #definitions: ReadonlyMap<string, UpdateDefinition<Tx, never>>
  readonly names: readonly string[]

  constructor(definitions: readonly UpdateDefinition<Tx, never>[]) {
    this.#definitions = new Map(definitions.map((definition) => [definition.name, definition]))
    this.names = [...this.#definitions.keys()]
  }

  has(name: string): boolean {
    return this.#definitions.has(name)
  }

  get(name: string): UpdateDefinition<Tx, never> | undefined {
    return this.#definitions.get(name)
  }

  /**
   * Refuses what this database can't do, unless the definition says that it is for the other one.
   *
   * @throws UnsupportedError
   */
  check(database: { readonly dialect: Dialect; readonly capabilities: { readonly pinnedSession: boolean } }): void {
    const { dialect, capabilities } = database
    for (const definition of this.#definitions.values()) {
      if (definition.on !== undefined && definition.on !== dialect) continue
      const subject = `update "${definition.name}" (${definition.kind})`
      if (!definition.dialects.includes(dialect)) {
        const other = definition.dialects[0] ?? 'postgres'
        throw new UnsupportedError(
          subject,
          dialect,
          `Leave it out here, or set \`on: '${other}'\`: then it counts as finished on ${dialect}.`,
        )
      }
      if (definition.oneShot && !capabilities.pinnedSession) {
        throw new UnsupportedError(
          `${subject} needs a session of its own, which`,
          'a connection through a transaction-mode pooler',
          'Give a pool that reaches the server itself, `fromPg(pool, { transactionPooler: true, direct })`, or run it in a process that connects directly.',
        )
      }
    }
  }
}
