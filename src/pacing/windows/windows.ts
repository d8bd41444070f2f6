import { describe } from '../../options.js'
import type { PaceContext, Pause } from '../pace.js'
import { isOpen, nextOpening } from './next-opening.js'
import { parseWindow, type TimeWindow } from './parse-window.js'

/** Hours in which batches may start, as `'Mon-Fri 22:00-06:00 Europe/Berlin'`; one or several. */
export type Windows = string | readonly string[]

/** What is wrong with windows, as sentences that name the piece. */
export function windowProblems(windows: unknown): string[] {
  if (windows === undefined) return []
  if (typeof windows !== 'string' && !Array.isArray(windows)) {
    return [`windows must be a text or an array of texts, not ${describe(windows)}`]
  }
  return parseAll(windows as Windows).flatMap((window) => ('problem' in window ? [window.problem] : []))
}

/** Holds the work outside its windows. Pure: time comes in the context. */
export class WindowKeeper {
  #windows: readonly TimeWindow[] = []
  /** The answer for one minute: windows begin and end at whole ones. */
  #answer: { readonly minute: number; readonly opensMs: number | null } | null = null

  /** Windows that can't be read are left out: they were refused before. None holds nothing. */
  set(windows: Windows): void {
    this.#windows = parseAll(windows).filter((window) => 'zone' in window)
    this.#answer = null
  }

  /** Null while one of them is open, or when there are none. */
  beforeBatch({ epochMs }: PaceContext): Pause | null {
    if (this.#windows.length === 0) return null
    const minute = Math.floor(epochMs / 60_000)
    if (this.#answer?.minute !== minute) this.#answer = { minute, opensMs: this.#opensMs(epochMs) }
    const { opensMs } = this.#answer
    if (opensMs !== null && opensMs <= epochMs) return null
    const texts = this.#windows.map(({ text }) => text).join(', ')
    if (opensMs === null) return { ms: 60_000, reason: 'window', why: `outside of ${texts}, which never opens` }
    const until = new Date(opensMs).toISOString()
    return { ms: opensMs - epochMs, reason: 'window', why: `outside of ${texts} until ${until}` }
  }

  #opensMs(epochMs: number): number | null {
    if (this.#windows.some((window) => isOpen(window, epochMs))) return epochMs
    const openings = this.#windows.map((window) => nextOpening(window, epochMs)).filter((ms) => ms !== null)
    return openings.length === 0 ? null : Math.min(...openings)
  }
}

function parseAll(windows: Windows): ReturnType<typeof parseWindow>[] {
  return (typeof windows === 'string' ? [windows] : windows).map(parseWindow)
}
