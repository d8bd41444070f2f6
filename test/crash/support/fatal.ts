/**
 * When a process dies: `before` statement `at` is sent; `sent`, when it was sent and not answered; `after` its answer.
 * The database can't tell `after` k from `before` k + 1, but it can tell `sent` from both: a COMMIT may or may not count.
 */
export type Moment = 'before' | 'sent' | 'after'

export interface Death {
  readonly moment: Moment
  /** Which statement, counted from 1 over all connections of the process, BEGIN and COMMIT included. */
  readonly at: number
}

/** Counts the statements of this process and ends it at one of them, as the machine's power switch would. */
export class Fatal {
  /** The statements so far, for the control run. */
  readonly statements: string[] = []
  readonly #death: Death | null

  constructor(death: Death | null) {
    this.#death = death
  }

  /** Runs `send`, which hands a statement to the database and returns its answer or the promise of it. */
  around<T>(text: string, send: () => T): T {
    this.statements.push(text.trim())
    const mine = this.statements.length
    this.#dieAt(mine, 'before')
    const answer = send()
    if (!(answer instanceof Promise)) {
      this.#dieAt(mine, 'after')
      return answer
    }
    // Statements of one packet are sent when the last of them was handed over.
    process.nextTick(() => this.#dieAt(mine, 'sent'))
    // Before whoever waits for the answer goes on.
    return answer.finally(() => this.#dieAt(mine, 'after')) as T
  }

  #dieAt(statement: number, moment: Moment): void {
    if (this.#death?.at === statement && this.#death.moment === moment) process.kill(process.pid, 'SIGKILL')
  }
}
