import type { Controller } from '../controller.js'
import type { TunerDecision } from '../pacing/tuner.js'
import type { Waiting } from '../queue/reasons.js'
import { BatchRunner, type BatchRunnerParts } from './batch-runner.js'

/** The batch runners of one process: one for whatever is next in the queue, and others for lanes beside it. */
export class BatchRunners<Tx> {
  readonly main: BatchRunner<Tx>
  /** The first of them works on updates that want two lanes, the second on those that want three, and so on. */
  readonly helpers: readonly BatchRunner<Tx>[]

  /** `lanes` is how many may be worked on at the same time. */
  constructor(lanes: number, parts: Omit<BatchRunnerParts<Tx>, 'lanesOnly'>) {
    this.main = new BatchRunner({ ...parts, lanesOnly: false })
    this.helpers = Array.from({ length: lanes - 1 }, () => new BatchRunner({ ...parts, lanesOnly: true }))
  }

  get controller(): Controller | null {
    return this.main.controller
  }

  set controller(controller: Controller | null) {
    for (const each of this.#all) each.controller = controller
  }

  /** The update whose batch is running, or null. */
  get current(): string | null {
    return this.#all.find(({ current }) => current !== null)?.current ?? null
  }

  /** Whether this process holds a lane of the update. */
  holdsLaneOf(updateName: string): boolean {
    return this.#all.some(({ lanedUpdate }) => lanedUpdate === updateName)
  }

  /** The decisions of the tuner that this process remembers: of several lanes those of the one that it holds first. */
  explainTuner(updateName: string): readonly TunerDecision[] {
    const holding = this.#all.find((each) => each.holds(updateName)) ?? this.main
    return holding.explainTuner(updateName)
  }

  cancel(updateName: string): void {
    for (const each of this.#all) each.cancel(updateName)
  }

  localReasons(): Map<string, Waiting> {
    return new Map(this.#all.flatMap((each) => [...each.localReasons()]))
  }

  get #all(): readonly BatchRunner<Tx>[] {
    return [this.main, ...this.helpers]
  }
}
