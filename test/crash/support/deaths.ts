import type { Dialect } from 'evenkeel'
import type { Death } from './fatal.js'

/** Chooses where to die from the statements that a run has sent. */
export type ChooseDeaths = (statements: readonly string[], dialect: Dialect) => Death[]

/**
 * Before every statement, which is also after the one before it; and on PostgreSQL while a statement is under way that
 * may leave a trace. SQLite has no such moment: it answers before the process can die.
 */
export const everyBoundary: ChooseDeaths = (statements, dialect) =>
  statements.flatMap((text, index): Death[] => {
    const before: Death = { moment: 'before', at: index + 1 }
    return dialect === 'postgres' && leavesTrace(text) ? [before, { moment: 'sent', at: index + 1 }] : [before]
  })

/**
 * Every boundary of a statement that may leave a trace: before it, under way, after it. Deaths with nothing but reads
 * between them leave the same database.
 */
export const everyTrace: ChooseDeaths = (statements, dialect) =>
  everyBoundary(statements, dialect).filter(
    ({ moment, at }) => moment === 'sent' || [at - 1, at].some((near) => leavesTrace(statements[near - 1] ?? 'SELECT')),
  )

/** All that may leave a trace, or `count` of them, evenly spread, other ones for each `offset`. */
export function upTo(count: number, offset: number): ChooseDeaths {
  return (statements, dialect) => {
    const all = everyTrace(statements, dialect)
    return all.length <= count ? all : spread(all, count, offset)
  }
}

/** A few of them, evenly spread, other ones for each `offset`. */
export function some(count: number, offset: number): ChooseDeaths {
  return (statements, dialect) => spread(everyTrace(statements, dialect), count, offset)
}

function spread(all: readonly Death[], count: number, offset: number): Death[] {
  return Array.from({ length: count }, (_, index) => Math.floor((index * all.length) / count) + offset)
    .map((index) => all[index % all.length])
    .filter((death) => death !== undefined)
}

function leavesTrace(text: string): boolean {
  return !/^(SELECT|BEGIN|SET|RESET|SHOW|PRAGMA)\b/i.test(text)
}
