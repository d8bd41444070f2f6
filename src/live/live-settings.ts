import type { Clock } from '../clock.js'
import type { Dialect, Query } from '../databases/database.js'
import type { JsonValue } from '../json.js'
import type { UpdaterEmitter } from '../observe/events.js'
import type { Logger } from '../observe/logger.js'
import type { AdaptivePaceOptions } from '../pacing/adaptive-pace.js'
import type { Budgets } from '../pacing/budgets/budgets.js'
import type { Windows } from '../pacing/windows/windows.js'
import { settingsStatements } from '../queue/settings-statements.js'
import type { Tables } from '../schema/tables.js'
import { changeProblems } from './setting-keys.js'
import { readStoredSettings, type StoredSetting } from './stored-settings.js'

/** What of an update's settings was changed while it runs. */
export interface LiveUpdateSettings {
  readonly targetMs?: number
  readonly maxBatchSize?: number
  readonly lanes?: number
}

export interface LiveSettingsParts {
  readonly databaseName: string
  readonly dialect: Dialect
  readonly tables: Tables
  readonly read: Query
  readonly clock: Clock
  readonly events: UpdaterEmitter
  readonly log: Logger
  /** Told when something of the whole database has changed. */
  readonly changed: () => void
}

const LOOK_EVERY_MS = 1_000

/** The stored settings as this process knows them: at most a second old while it works. */
export class LiveSettings {
  readonly #parts: LiveSettingsParts
  // By subject, only those that can be used.
  #stored: ReadonlyMap<string, StoredSetting> = new Map()
  // By update, what `of` found in #stored: it is asked several times a batch.
  readonly #settingsOf = new Map<string | null, LiveUpdateSettings>()
  // When the table was read last, by the clock; null before the first time.
  #lookedMs: number | null = null
  // What can't be used was said once.
  readonly #refused = new Set<string>()

  constructor(parts: LiveSettingsParts) {
    this.#parts = parts
  }

  /** Reads the table again, unless that was done within the last second. */
  async look(): Promise<void> {
    const { clock, read, tables, databaseName, events, log, changed } = this.#parts
    const nowMs = clock.nowMs()
    const first = this.#lookedMs === null
    if (this.#lookedMs !== null && nowMs - this.#lookedMs < LOOK_EVERY_MS) return
    this.#lookedMs = nowMs
    const before = this.#stored
    const after = this.#usable(await readStoredSettings(read, tables))
    const subjects = [...new Set([...before.keys(), ...after.keys()])].filter(
      (subject) => JSON.stringify(before.get(subject)?.value) !== JSON.stringify(after.get(subject)?.value),
    )
    this.#stored = after
    if (subjects.length === 0) return
    this.#settingsOf.clear()
    changed()
    for (const subject of subjects) {
      const setting = after.get(subject) ?? before.get(subject)
      if (setting === undefined) continue
      const { doneby, reason } = await this.#lastChange(subject)
      const [was, is] = [before.get(subject)?.value ?? null, after.get(subject)?.value ?? null]
      const words = `${subject}: ${first ? 'stored as' : `${shown(was)} →`} ${shown(is)}`
      const why = `${doneby === null ? '' : `, by ${doneby}`}${reason === null ? '' : `: ${reason}`}`
      log.info({ database: databaseName, setting: subject, before: was, after: is }, `setting ${words}${why}`)
      // What was stored before the start is no change.
      if (first) continue
      const { key, update } = setting
      events.emit('settings:change', { databaseName, key, update, before: was, after: is, by: doneby, reason })
    }
  }

  /** The next look reads the table. */
  lookSoon(): void {
    if (this.#lookedMs !== null) this.#lookedMs = Number.NEGATIVE_INFINITY
  }

  /** What was turned of the pace. */
  get pace(): AdaptivePaceOptions {
    return this.#group('pace.')
  }

  /** What was set of the budgets. */
  get budgets(): Budgets {
    return this.#group('budgets.')
  }

  /** Undefined when none are stored. */
  get windows(): Windows | undefined {
    return this.#value('windows') as Windows | undefined
  }

  /** What was set for all updates of the database; null asks for those of one update alone. */
  of(update: string | null): LiveUpdateSettings {
    const known = this.#settingsOf.get(update)
    if (known !== undefined) return known
    const value = (key: string) => this.#value(update === null ? key : `${key}@${update}`) as number | undefined
    const settings = defined({
      targetMs: value('targetMs'),
      maxBatchSize: value('maxBatchSize'),
      lanes: value('lanes'),
    })
    this.#settingsOf.set(update, settings)
    return settings
  }

  #value(subject: string): JsonValue | undefined {
    return this.#stored.get(subject)?.value
  }

  #group(prefix: string): object {
    const settings = [...this.#stored.values()].filter(({ key, update }) => update === null && key.startsWith(prefix))
    return Object.fromEntries(settings.map(({ key, value }) => [key.slice(prefix.length), value]))
  }

  // A row may have been written by hand, or by a version that knew more.
  #usable(stored: ReadonlyMap<string, StoredSetting>): Map<string, StoredSetting> {
    const { dialect, log, databaseName } = this.#parts
    const usable = new Map<string, StoredSetting>()
    for (const [subject, setting] of stored) {
      const problems = changeProblems(setting.key, setting.value, setting.update, dialect)
      if (problems.length === 0) usable.set(subject, setting)
      else if (!this.#refused.has(subject)) {
        this.#refused.add(subject)
        log.warn({ database: databaseName, setting: subject }, `a stored setting is ignored: ${problems.join('; ')}`)
      }
    }
    return usable
  }

  async #lastChange(subject: string): Promise<{ doneby: string | null; reason: string | null }> {
    const { read, tables } = this.#parts
    const { rows } = await read<{ doneby: string | null; reason: string | null }>(
      settingsStatements(tables).lastChange,
      [subject],
    )
    return rows[0] ?? { doneby: null, reason: null }
  }
}

function shown(value: JsonValue): string {
  return value === null ? 'none' : JSON.stringify(value)
}

function defined<T extends object>(settings: { [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as T
}
