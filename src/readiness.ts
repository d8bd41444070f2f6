import type { Database, Query } from './databases/database.js'
import type { QueueStore } from './queue/queue-store.js'
import type { Registry } from './registry.js'
import { checkInstallationThrough } from './schema/install.js'

/** What must hold before anything is asked of the queue or run; asked of the database once. */
export class Readiness<Tx> {
  readonly #database: Database<Tx>
  readonly #databaseName: string
  readonly #registry: Registry<Tx>
  readonly #store: QueueStore<Tx>
  #checkedRegistry = false
  #checkedInstallation = false

  constructor(database: Database<Tx>, databaseName: string, registry: Registry<Tx>, store: QueueStore<Tx>) {
    this.#database = database
    this.#databaseName = databaseName
    this.#registry = registry
    this.#store = store
  }

  /**
   * Before anything runs here.
   *
   * @throws NotInstalledError, VersionMismatchError
   * @throws UnsupportedError when an update can't run on this database
   */
  async ready(): Promise<void> {
    if (!this.#checkedRegistry) this.#registry.check(this.#database)
    // Asked before every batch: with 10⁵ handlers that took longer than the batch.
    this.#checkedRegistry = true
    await this.installed()
  }

  /**
   * Without our tables everything else would be an error of SQL that nobody understands.
   *
   * @throws NotInstalledError, VersionMismatchError
   */
  async installed(query: Query = this.#store.read): Promise<void> {
    if (this.#checkedInstallation) return
    await checkInstallationThrough(query, this.#databaseName, this.#store.tables)
    this.#checkedInstallation = true
  }
}
