/** One load of a workload. */
export interface WorkloadLoad {
  /** Before the columns of its latencies. */
  readonly name: string
  readonly script: 'tpcb' | 'same'
  readonly rate: number | null
  readonly clients: number
}

/** What the application does while the table is backfilled. */
export interface Workload {
  readonly key: string
  readonly title: string
  /** One or several at once. */
  readonly loads: readonly WorkloadLoad[]
  /** How long a contestant is watched when time is short. */
  readonly briefSeconds: number
  /** Only those that the figures ask for, when time is short. */
  readonly few?: boolean
}

const otherTables: WorkloadLoad = { name: 'other', script: 'tpcb', rate: 500, clients: 8 }
const sameTable: WorkloadLoad = { name: 'same', script: 'same', rate: 300, clients: 8 }
const CLOSED = { rate: null, clients: 4 } as const

export const OTHER: Workload = {
  key: 'other',
  title: 'TPC-B on other tables, 500 transactions a second',
  loads: [otherTables],
  briefSeconds: 4,
}

export const SAME: Workload = {
  key: 'same',
  title: 'single-row updates on the same table, 300 a second',
  loads: [sameTable],
  briefSeconds: 4,
}

/** Both at once, where there isn't the time for one after the other. */
export const BOTH: Workload = {
  key: 'both',
  title: 'TPC-B on other tables, 500 a second, and single-row updates on the same table, 300 a second, at once',
  loads: [otherTables, sameTable],
  briefSeconds: 4,
}

export const OTHER_CLOSED: Workload = {
  key: 'other-closed',
  title: 'TPC-B on other tables, near saturation: four clients without a pause',
  loads: [{ ...otherTables, ...CLOSED }],
  briefSeconds: 3,
  few: true,
}

export const SAME_CLOSED: Workload = {
  key: 'same-closed',
  title: 'single-row updates on the same table, near saturation: four clients without a pause',
  loads: [{ ...sameTable, ...CLOSED }],
  briefSeconds: 3,
  few: true,
}
