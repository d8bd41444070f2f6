import type { StoredSetting } from './live/stored-settings.js'
import type { PaceDecision, PaceExplanation } from './pacing/pace.js'
import type { TunerDecision } from './pacing/tuner.js'
import type { Waiting } from './queue/reasons.js'
import type { UpdateStatus } from './status.js'

/** What the pace of a process is at and how it came there. */
export interface PaceReport extends PaceExplanation {
  /** Seconds that this process waited since it began, by reason: the signal, budget or rule. */
  readonly waitedSeconds: Readonly<Record<string, number>>
}

/** Why an update is run as it is. */
export interface Why {
  readonly name: string
  readonly waiting: Waiting | null
  /** In items, as of the last committed batch; null before the first. */
  readonly batchSize: number | null
  /** The tuner's last decisions, oldest first; empty unless the update runs in this process. */
  readonly tuner: readonly TunerDecision[]
  /** The last decisions of this process's pace, oldest first. */
  readonly pace: readonly PaceDecision[]
  /** What was changed with `set()` and concerns it. */
  readonly settings: readonly StoredSetting[]
  /** All of it for people, a line each. */
  readonly words: readonly string[]
}

const SHOWN = 10

/** Puts together what is known of one update. */
export function explainUpdate(
  { name, state, waiting, batchSize }: UpdateStatus,
  known: {
    readonly pace: PaceReport
    readonly tuner: readonly TunerDecision[]
    readonly settings: readonly StoredSetting[]
    /** No process runs the queue now. */
    readonly nobodyRuns: boolean
  },
): Why {
  const { pace, tuner, settings, nobodyRuns } = known
  const words = [
    waiting === null ? `${name} is ${state}` : `${name} is ${state} and waits: ${waiting.text}`,
    ...remedy(name, waiting, nobodyRuns),
    ...(batchSize === null ? [] : [`its last batch had ${batchSize} items`]),
    ...settings.map(settingWords),
    ...tuner.slice(-SHOWN).map(({ rule, from, to, why }) => `batch size ${from} → ${to} (${rule}): ${why}`),
    ...pace.decisions.slice(-SHOWN).map(paceWords),
    ...Object.entries(pace.waitedSeconds).map(([reason, seconds]) => `waited ${seconds.toFixed(1)} s for: ${reason}`),
  ]
  return { name, waiting, batchSize, tuner, pace: pace.decisions, settings, words }
}

// For each reason that doesn't end by itself: what ends it.
function remedy(name: string, waiting: Waiting | null, nobodyRuns: boolean): string[] {
  switch (waiting?.code) {
    case 'failed':
      return [`mend the cause, then \`evenkeel retry ${name}\`; or take it out with \`evenkeel cancel ${name}\``]
    case 'paused':
      return [`\`evenkeel resume ${name}\` lets it go on`]
    case 'disabled':
      return ['`evenkeel enable` lets the updates go on']
    default:
      return nobodyRuns ? ['nobody runs the queue now: `evenkeel run` does, or an updater that is started'] : []
  }
}

function settingWords({ key, update, value, by, changedAt }: StoredSetting): string {
  const whose = update === null ? '' : ` for ${update}`
  return `${key} was set to ${JSON.stringify(value)}${whose}${by === null ? '' : ` by ${by}`} at ${changedAt}`
}

function paceWords({ epochMs, about, rule, from, to, why }: PaceDecision): string {
  return `${new Date(epochMs).toISOString()} ${about} ${shown(from)} → ${shown(to)} (${rule}): ${why}`
}

function shown(value: number | string): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(3))) : value
}
