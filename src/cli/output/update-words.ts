import type { DatabaseStatus, UpdateStatus } from '../../status.js'
import { formatAmount } from './format.js'
import type { Style } from './style.js'

/** What a database does now, in words. */
export function databaseWords(status: DatabaseStatus, style: Style): string {
  const { disabled, updates } = status
  const queued = formatAmount(updates.length, 'update', 'updates')
  switch (status.status) {
    case 'DISABLED': {
      const by = disabled?.by == null ? '' : ` by ${disabled.by}`
      const reason = disabled?.reason == null ? '' : `: ${disabled.reason}`
      return `${style.yellow('disabled')}${by}${reason} · ${queued}`
    }
    case 'COMPLETE':
      return `${style.green('complete')} · the queue is empty`
    case 'RUNNING_UPDATE':
      return `${style.green('running')} · ${queued}`
    case 'NOT_STARTED':
      return `${style.yellow('not started')} · ${queued}, and nobody runs them`
    case 'ABORTED':
      return `${style.red('stopped')} · ${queued}; nothing can run before a person has had a look`
  }
}

/** Why an update waits, what it does, or who runs it, in words. */
export function updateWords(update: UpdateStatus): string {
  if (update.state === 'running') {
    const doing = [update.phase, update.detail].filter((text) => text !== null).join(': ')
    const owner = update.owner === null ? '' : `run by ${update.owner}`
    const waits = firstLine(update.waiting?.text ?? '')
    // Of what another process runs the reason is that it is held; why its runner waits stands behind it.
    const throttled = update.waiting?.code === 'throttled' ? waits : (/it waits: .*/.exec(waits)?.[0] ?? '')
    return [doing, laneWords(update), throttled, owner].filter((text) => text !== '').join(' · ')
  }
  return firstLine(update.waiting?.text ?? '')
}

/** How many of its lanes are worked on; nothing where its walk is one. */
export function laneWords({ lanes }: UpdateStatus): string {
  return lanes.length === 0
    ? ''
    : formatAmount(lanes.filter(({ state }) => state === 'running').length, 'lane', 'lanes')
}

/** The last error, where the reason doesn't say it already. */
export function lastErrorWords(update: UpdateStatus): string | null {
  if (update.lastError === null || update.state === 'failed') return null
  return firstLine(update.lastError)
}

export function stateWords(update: UpdateStatus, style: Style): string {
  switch (update.state) {
    case 'running':
      return style.green('running')
    case 'paused':
      return style.yellow('paused')
    case 'failed':
      return style.red('failed')
    case 'queued':
      return 'queued'
  }
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
