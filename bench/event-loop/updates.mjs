/** The update that `bench:event-loop` measures, for either thread. */
import { backfill, defineConfig } from 'evenkeel'

export const makeFill = () => backfill({ name: 'fill', table: 't', set: { x: 'id * 2' } })

/** The worker's configuration; `file` is what the main thread hands over. */
export default (file) => defineConfig({ database: file, updates: [makeFill()] })
