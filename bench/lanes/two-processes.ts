import { setTimeout as delay } from 'node:timers/promises'
import { BackgroundUpdater, backfill } from 'evenkeel'
import type { Backfiller } from '../contestants/backfiller.js'
import { startScript } from '../measure/run-script.js'
import { rowsLeft, type PostgresSubject } from '../postgres/subject.js'
import type { HelperAnswer, HelperRequest } from './helper-main.js'

// Whoever asks the server much more often than this is somebody at work there.
const LOOK_MS = 500

/** Two lanes that two processes share: each runs an updater, and they meet in the database only. */
export const twoProcesses: Backfiller<PostgresSubject> = {
  key: 'two-processes',
  title: 'Evenkeel, lanes: 2, in two processes',
  async run(subject, work) {
    const { database, close } = subject.open()
    const update = backfill<never>({ name: 'bench_backfill', table: subject.name, set: subject.set })
    const updater = new BackgroundUpdater({ database, updates: [update], lanes: 2 })
    const request: HelperRequest = { url: subject.postgres.url, table: subject.name, set: subject.set }
    try {
      await updater.install()
      const helper = startScript(new URL('helper-main.ts', import.meta.url), request)
      await helper.ready
      let endMs: number | null = null
      updater.on('update:complete', () => {
        endMs = performance.now()
      })
      work.start()
      await updater.enqueue(update)
      await updater.start()
      // Whoever ends the last lane says so in his own process only: the database knows.
      while (endMs === null && !work.stopped && !(await updater.hasCompleted(update))) await delay(LOOK_MS)
      const lookedMs = performance.now()
      await updater.stop()
      await updater.cancel(update).catch(() => {})
      const { completedMs } = JSON.parse(await helper.output) as HelperAnswer
      const theirsMs = completedMs === null ? lookedMs : completedMs - performance.timeOrigin
      // All of them, unless they were too slow and were stopped.
      work.batch(subject.shape.rows - (await rowsLeft(subject)), endMs ?? theirsMs)
    } finally {
      await close()
    }
  },
}
