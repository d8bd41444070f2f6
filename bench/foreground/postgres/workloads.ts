export interface WorkloadLoad {
  readonly name: string
  readonly script: 'tpcb' | 'same'
  readonly rate: number | null
  readonly clients: number
}

/** What the application does while the table is backfilled. */
export interface Workload {
  readonly key: string
  readonly title: string
  readonly load: WorkloadLoad
  /** Only those that the figures ask for, when time is short. */
  readonly few?: boolean
}

const otherTables: WorkloadLoad = { name: 'other', script: 'tpcb', rate: 500, clients: 8 }
const sameTable: WorkloadLoad = { name: 'same', script: 'same', rate: 300, clients: 8 }
const CLOSED = { rate: null, clients: 4 } as const

export const OTHER: Workload = {
  key: 'other',
  title: 'TPC-B on other tables, 500 transactions a second',
  load: otherTables,
}

export const SAME: Workload = {
  key: 'same',
  title: 'single-row updates on the same table, 300 a second',
  load: sameTable,
}

export const OTHER_CLOSED: Workload = {
  key: 'other-closed',
  title: 'TPC-B on other tables, near saturation: four clients without a pause',
  load: { ...otherTables, ...CLOSED },
  few: true,
}

export const SAME_CLOSED: Workload = {
  key: 'same-closed',
  title: 'single-row updates on the same table, near saturation: four clients without a pause',
  load: { ...sameTable, ...CLOSED },
  few: true,
}
