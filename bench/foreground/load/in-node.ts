import { startScript } from '../../measure/run-script.js'
import { readLog, type LoadGenerator } from './load.js'

/** Foreground by a process of our own, where there is no pgbench: the same statements, the same schedule. */
export function inNode(url: string): LoadGenerator {
  return {
    about: 'a load generator in Node, not pgbench',
    run: async (request) => {
      const { ready, output } = startScript(new URL('in-node-main.ts', import.meta.url), [url, request])
      await ready
      return { log: output.then(readLog) }
    },
  }
}
