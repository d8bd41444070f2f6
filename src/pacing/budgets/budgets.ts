import { describe, unknownOptionProblems } from '../../options.js'
import type { PaceContext, PaceSample, Pause } from '../pace.js'
import { RowBudget } from './row-budget.js'
import { WalBudget } from './wal-budget.js'

/** What the work may use up; nothing is limited until it is set. */
export interface Budgets {
  /** Items a second of wall-clock time, over all lanes. A batch has at most a second's worth. */
  readonly rowsPerSecond?: number
  /** PostgreSQL: WAL of the whole server, whoever writes it, in bytes an hour. Held while there is more. */
  readonly walBytesPerHour?: number
}

export const BUDGET_NAMES = ['rowsPerSecond', 'walBytesPerHour'] as const satisfies (keyof Budgets)[]

/** What is wrong with budgets, as sentences. */
export function budgetProblems(budgets: unknown, dialect: 'postgres' | 'sqlite' | undefined): string[] {
  if (budgets === undefined) return []
  if (typeof budgets !== 'object' || budgets === null || Array.isArray(budgets)) {
    return [`budgets must be an object, not ${describe(budgets)}`]
  }
  const given = budgets as Record<string, unknown>
  const problems = unknownOptionProblems(budgets, BUDGET_NAMES).map((problem) => `budgets: ${problem}`)
  for (const name of BUDGET_NAMES) {
    if (given[name] !== undefined) problems.push(...budgetProblem(name, given[name], dialect))
  }
  return problems
}

/** What is wrong with the value of one budget. */
export function budgetProblem(
  name: keyof Budgets,
  value: unknown,
  dialect: 'postgres' | 'sqlite' | undefined,
): string[] {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    return [`budgets.${name} must be a number above 0, not ${describe(value)}`]
  }
  if (name === 'walBytesPerHour' && dialect === 'sqlite') return ['budgets.walBytesPerHour is for PostgreSQL']
  return []
}

/** The budgets at work. Pure: time comes in the context. */
export class BudgetKeeper {
  #rows: RowBudget | null = null
  #wal: WalBudget | null = null

  /** A budget whose figure stays keeps what was used of it. */
  set({ rowsPerSecond, walBytesPerHour }: Budgets): void {
    if (rowsPerSecond !== this.#rows?.perSecond) {
      this.#rows = rowsPerSecond === undefined ? null : new RowBudget(rowsPerSecond)
    }
    if (walBytesPerHour !== this.#wal?.bytesPerHour) {
      this.#wal = walBytesPerHour === undefined ? null : new WalBudget(walBytesPerHour)
    }
  }

  /** The longest wait that a budget asks for; null when none limits anything. */
  beforeBatch(context: PaceContext): Pause | null {
    const rows = this.#rows?.beforeBatch(context) ?? null
    const wal = this.#wal?.beforeBatch(context) ?? null
    if (rows === null || wal === null) return rows ?? wal
    const longer = wal.ms > rows.ms ? wal : rows
    return rows.maxItems === undefined ? longer : { ...longer, maxItems: rows.maxItems }
  }

  afterBatch(sample: PaceSample): void {
    this.#rows?.afterBatch(sample)
  }
}
