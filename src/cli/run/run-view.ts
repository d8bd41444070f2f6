import type { DatabaseStatus } from '../../status.js'
import type { BackgroundUpdater } from '../../updater.js'

/** What a run shows while it goes on: on a terminal, in a pipe, or for a program. */
export interface RunView {
  /** Listens to an updater before it starts. */
  watch(updater: BackgroundUpdater<never>): void
  /** How often it wants to be shown the status, in ms; null for never. */
  readonly lookMs: number | null
  look(databaseName: string, status: DatabaseStatus): void | Promise<void>
  /** A line of the log. */
  log(line: string): void
  end(): void
}
