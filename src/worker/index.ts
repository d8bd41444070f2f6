export { WorkerUpdater, type WorkerUpdaterOptions } from './worker-updater.js'
export { WorkerEndedError } from './worker-thread.js'
