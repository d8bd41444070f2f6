import { execFile, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { serverUser, type PostgresVersion } from './postgres-binaries.js'
import { initialise, serve, startCaretaker, urlOf, type InitialisedServer } from './postgres-servers.js'

type Settings = Readonly<Record<string, string>>

/** A server for one file of tests, which may stop it, change its settings and give it a standby. */
export class OwnServer {
  readonly url: string
  readonly #installed: InitialisedServer
  readonly #settings: Settings
  readonly #port: number
  #process: ChildProcess
  // Deletes everything, also when this process is killed.
  readonly #caretaker: ChildProcess

  private constructor(
    installed: InitialisedServer,
    settings: Settings,
    served: { readonly port: number; readonly process: ChildProcess },
    caretaker: ChildProcess,
  ) {
    this.url = urlOf(installed, served.port)
    this.#installed = installed
    this.#settings = settings
    this.#port = served.port
    this.#process = served.process
    this.#caretaker = caretaker
  }

  static async start(version: PostgresVersion, settings: Settings = {}): Promise<OwnServer> {
    const directory = await mkdtemp(path.join(tmpdir(), 'evenkeel-own-postgres-'))
    await chmod(directory, 0o755)
    const caretaker = startCaretaker(directory)
    const installed = await initialise(version, await serverUser(), path.join(directory, 'primary'))
    return new OwnServer(installed, settings, await serve(installed, settings), caretaker)
  }

  /** Ends every session and the server; `immediate` is a crash. */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const gone = once(this.#process, 'close')
    this.#process.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await gone
  }

  /** Again, on the same port. */
  async startAgain(): Promise<void> {
    this.#process = (await serve(this.#installed, this.#settings, this.#port)).process
  }

  /**
   * A streaming standby of this server, which is stopped for a moment: what its data directory holds then is as good as
   * a base backup, and needs no program that the packages lack.
   */
  async standby(name: string): Promise<{ readonly url: string }> {
    const { directory, password } = this.#installed
    const home = path.join(path.dirname(directory), name)
    await this.stop()
    await promisify(execFile)('cp', ['-a', directory, home])
    await this.startAgain()
    const data = path.join(home, 'data')
    const conninfo = `host=127.0.0.1 port=${this.#port} user=postgres password=${password} application_name=${name}`
    // An empty file in the directory of the server's user: it needs to be there, not to be his.
    await writeFile(path.join(data, 'standby.signal'), '', { mode: 0o644 })
    const settings = { ...this.#settings, primary_conninfo: conninfo, wal_receiver_status_interval: '1s' }
    const { port } = await serve({ ...this.#installed, directory: home, data }, settings)
    return { url: urlOf(this.#installed, port) }
  }

  async dispose(): Promise<void> {
    if (this.#caretaker.exitCode !== null) return
    this.#caretaker.ref()
    this.#caretaker.stdin?.end()
    await once(this.#caretaker, 'exit')
  }
}
