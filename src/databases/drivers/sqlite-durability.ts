/** Values of `PRAGMA synchronous`. */
const NORMAL = 1

/** Runs a statement of SQLite and returns its rows. */
type Run = (text: string) => readonly Record<string, unknown>[]

/**
 * Lets single transactions be committed without waiting for the disk: else each batch holds the file's one write lock for as
 * long as the disk takes. Only in WAL mode, where a crash of the machine loses the last transactions whole and nothing else.
 */
export class SqliteDurability {
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  /** Before BEGIN. Returns what restores the setting behind the transaction; null when nothing was changed. */
  relax(): (() => void) | null {
    try {
      const before = Number(this.#run('PRAGMA synchronous')[0]?.synchronous)
      if (!(before > NORMAL) || this.#run('PRAGMA journal_mode')[0]?.journal_mode !== 'wal') return null
      this.#run(`PRAGMA synchronous = ${NORMAL}`)
      return () => this.#restore(before)
    } catch {
      // Somebody has locked the file, or closed the handle: BEGIN waits for the one and tells the other.
      return null
    }
  }

  /**
   * In a transaction that waits for the disk: its COMMIT takes along what was committed without. It needs something to
   * write, and nobody notices the number that is there already.
   */
  touch(): void {
    const [version] = this.#run('PRAGMA user_version')
    this.#run(`PRAGMA user_version = ${Number(version?.user_version)}`)
  }

  #restore(level: number): void {
    try {
      this.#run(`PRAGMA synchronous = ${level}`)
    } catch {
      // The handle was closed meanwhile: whatever ended the transaction tells more.
    }
  }
}
