import { parseDependsOn, type QueueRow, type QueueRowDetails, type RowState } from './row.js'

/** A row of the queue as `rowColumns` reads it: names in small letters, as every database gives them. */
export interface RawRow {
  name: string
  ordering: number
  dependson: string | null
  state: RowState
  stateby: string | null
  statereason: string | null
  attempts: number
  lasterror: string | null
  backsoffuntil: string | null
  leaseowner: string | null
  leaseuntil: string | null
  waitingtext: string | null
  lanecount: number
  hasfreelane: unknown
}

export interface RawDetails extends RawRow {
  progressjson: string | null
  enqueuedat: string | null
  startedat: string | null
  batches: number
  items: number
  busyms: number
  failures: number
  batchsize: number | null
  statisticsjson: string | null
}

export function toRow(raw: RawRow): QueueRow {
  return {
    name: raw.name,
    ordering: raw.ordering,
    dependsOn: parseDependsOn(raw.dependson),
    state: raw.state,
    stateBy: raw.stateby,
    stateReason: raw.statereason,
    attempts: raw.attempts,
    lastError: raw.lasterror,
    backsOffUntil: raw.backsoffuntil,
    waitingText: raw.waitingtext,
    holder: raw.leaseowner === null ? null : { owner: raw.leaseowner, until: raw.leaseuntil ?? '' },
    laneCount: raw.lanecount,
    hasFreeLane: Boolean(raw.hasfreelane),
  }
}

export function toDetails(raw: RawDetails): QueueRowDetails {
  return {
    ...toRow(raw),
    progressJson: raw.progressjson ?? '{}',
    enqueuedAt: raw.enqueuedat,
    startedAt: raw.startedat,
    batches: raw.batches,
    items: raw.items,
    busyMs: raw.busyms,
    failures: raw.failures,
    batchSize: raw.batchsize,
    statisticsJson: raw.statisticsjson,
  }
}
