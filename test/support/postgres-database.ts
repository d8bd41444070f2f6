import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { vi } from 'vitest'

/** One database of a test server, the connections to it that tests opened through it, and a look at all others. */
export class TestDatabase {
  /** Where it is, as a superuser. */
  readonly url: string
  readonly name: string
  /** A pool that lives as long as the database. */
  readonly pool: pg.Pool

  readonly #serverUrl: string
  /** What `openPool()` and `openClient()` gave and nobody has ended yet; not the pool above. */
  #pools: pg.Pool[] = []
  #clients: pg.Client[] = []
  /** Backends that were told of once: they don't fail the next test too. */
  readonly #reported = new Set<number>()
  #disposed = false

  static async create(serverUrl: string): Promise<TestDatabase> {
    const name = `test_${randomBytes(6).toString('hex')}`
    await onServer(serverUrl, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE template0`))
    return new TestDatabase(serverUrl, name)
  }

  private constructor(serverUrl: string, name: string) {
    const url = new URL(serverUrl)
    url.pathname = `/${name}`
    this.#serverUrl = serverUrl
    this.name = name
    this.url = url.href
    this.pool = this.#makePool({ application_name: blockPoolName })
  }

  /** A further pool, ended with the test. */
  openPool(options: pg.PoolConfig = {}): pg.Pool {
    const pool = this.#makePool(options)
    this.#pools.push(pool)
    return pool
  }

  /** A single connected session, for instance one that holds a lock; ended with the test. */
  async openClient(options: pg.ClientConfig = {}): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url, application_name: 'test client', ...options })
    client.on('error', ignoreLoss)
    await client.connect()
    this.#clients.push(client)
    return client
  }

  /**
   * Ends what `openPool()` and `openClient()` gave, and tells what else still runs in the database, one line each.
   * `pool` stays.
   */
  async settle(): Promise<string[]> {
    const left = await this.#endOpened()
    left.push(...(await unreleased(this.pool)))
    left.push(...(await this.#runningBackends(left.length > 0)))
    return left
  }

  /**
   * Settles the database, ends `pool`, and drops the database unless it is to be kept or something still runs in it.
   * Does nothing the second time. Returns what `settle()` returns.
   */
  async dispose({ keep = false }: { keep?: boolean } = {}): Promise<string[]> {
    if (this.#disposed) return []
    this.#disposed = true
    const left = await this.settle()
    await endPool(this.pool)
    if (!keep && left.length === 0) {
      await onServer(this.#serverUrl, (client) => client.query(`DROP DATABASE ${this.name} WITH (FORCE)`))
    }
    return left
  }

  #makePool(options: pg.PoolConfig): pg.Pool {
    const pool = new pg.Pool({ connectionString: this.url, application_name: 'test pool', ...options })
    pool.on('error', ignoreLoss)
    return pool
  }

  async #endOpened(): Promise<string[]> {
    const pools = this.#pools.splice(0)
    const clients = this.#clients.splice(0)
    const left = (await Promise.all(pools.map(unreleased))).flat()
    await Promise.all([...pools.map(endPool), ...clients.map((client) => client.end())])
    return left
  }

  /**
   * The backends that are neither idle ones of `pool` nor known already. A client is closed a moment before its
   * backend has gone, so they get a second to go, unless it is known that `something` stays anyway.
   */
  async #runningBackends(something: boolean): Promise<string[]> {
    const look = () =>
      onServer(this.#serverUrl, (client) => client.query<Backend>(runningBackends, [this.name, blockPoolName]))
    const others = async () => (await look()).rows.filter((backend) => !this.#reported.has(backend.pid))
    const gone = async () => {
      if ((await others()).length > 0) throw new Error('Something still runs')
    }
    if (!something) {
      try {
        await vi.waitFor(gone, { timeout: 1_000, interval: 20 })
        return []
      } catch {
        // What has not gone by now is reported.
      }
    }
    const stayed = await others()
    for (const backend of stayed) this.#reported.add(backend.pid)
    return stayed.map(
      ({ pid, application_name, state, query }) =>
        `- backend ${pid} of '${application_name}' in ${this.name} is ${state}; its last statement: ${query}`,
    )
  }
}

const blockPoolName = 'test database pool'

interface Backend {
  pid: number
  application_name: string
  state: string
  query: string
}

const runningBackends = `
  SELECT pid, application_name, state, left(query, 200) AS query
  FROM pg_stat_activity
  WHERE datname = $1
    AND backend_type = 'client backend'
    AND NOT (application_name = $2 AND state = 'idle')
  ORDER BY pid`

async function onServer<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/**
 * Who stops while the pool still connects a client for him doesn't wait for it: it is released when it comes, so it gets
 * a second to come. One whose test has ended without releasing it stays.
 */
async function unreleased(pool: pg.Pool): Promise<string[]> {
  const count = () => pool.totalCount - pool.idleCount
  const released = () => {
    if (count() > 0) throw new Error('A client is in use')
  }
  await vi.waitFor(released, { timeout: 1_000, interval: 20 }).catch(() => {})
  return count() > 0 ? [`- ${count()} client(s) of a pool not released`] : []
}

/** A pool's end waits for its clients; one that was never released has been reported and isn't waited for. */
async function endPool(pool: pg.Pool): Promise<void> {
  if (pool.ending) return
  const ended = pool.end()
  if (pool.totalCount === pool.idleCount) await ended
}

/** Tests cut connections on purpose; without a listener the loss of an idle one would end the process. */
function ignoreLoss(): void {}
