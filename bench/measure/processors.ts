import { readFileSync } from 'node:fs'

/** What became of the processors' time; NaN where the system doesn't tell. */
export interface ProcessorTime {
  /** Of all time of all processors, the share that this machine used, 0 to 1. */
  readonly busy: number
  /** Of what it wanted, the share that the hypervisor gave to others, 0 to 1: a foreground's latency follows it. */
  readonly stolen: number
}

/** Begins to watch the processors. The result tells what became of their time since then. */
export function watchProcessors(): () => ProcessorTime {
  if (process.platform !== 'linux') return () => ({ busy: Number.NaN, stolen: Number.NaN })
  const stat = () => readFileSync('/proc/stat', 'utf8')
  const before = stat()
  return () => processorTime(before, stat())
}

/** The same between two texts of Linux's `/proc/stat`; 0 of nothing. */
export function processorTime(before: string, after: string): ProcessorTime {
  const from = ticks(before)
  const to = ticks(after)
  const used = to.used - from.used
  const stolen = to.stolen - from.stolen
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole)
  return { busy: share(used, to.all - from.all), stolen: share(stolen, used + stolen) }
}

// Of all processors since boot: `cpu user nice system idle iowait irq softirq steal …`.
function ticks(stat: string): { readonly all: number; readonly used: number; readonly stolen: number } {
  const [, ...numbers] = (stat.split('\n')[0] ?? '').trim().split(/\s+/).map(Number)
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, stolen = 0] = numbers
  const used = user + nice + system + irq + softirq
  return { all: used + idle + iowait + stolen, used, stolen }
}
