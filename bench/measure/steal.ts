import { readFileSync } from 'node:fs'

/**
 * Begins to watch how much of the processor time that this machine wanted went to others. The result tells the share
 * since then, 0 to 1: a foreground's latency follows it more than any contestant. NaN where the system doesn't tell.
 */
export function watchSteal(): () => number {
  if (process.platform !== 'linux') return () => Number.NaN
  const stat = () => readFileSync('/proc/stat', 'utf8')
  const before = stat()
  return () => stolenShare(before, stat())
}

/** The share between two texts of Linux's `/proc/stat`; 0 when nothing was wanted. */
export function stolenShare(before: string, after: string): number {
  const from = ticks(before)
  const to = ticks(after)
  const stolen = to.stolen - from.stolen
  const wanted = to.used - from.used + stolen
  return wanted === 0 ? 0 : stolen / wanted
}

// Of all processors since boot: `cpu user nice system idle iowait irq softirq steal …`.
function ticks(stat: string): { readonly used: number; readonly stolen: number } {
  const [, ...numbers] = (stat.split('\n')[0] ?? '').trim().split(/\s+/).map(Number)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = numbers
  return { used: user + nice + system + irq + softirq, stolen }
}
