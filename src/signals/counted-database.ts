import type { Database, Session } from '../databases/database.js'

const COMMITTING: ReadonlySet<string | symbol> = new Set(['transaction', 'pipelinedTransaction'])

/** A database that counts what is committed through it; everything else goes through as it is. */
export function countedDatabase<Tx>(database: Database<Tx>): { database: Database<Tx>; commits: () => number } {
  let commits = 0
  const count = <T>(result: T): T => {
    commits += 1
    return result
  }
  // Each statement of a session in autocommit is a transaction of its own.
  const counted = (session: Session<Tx>): Session<Tx> => ({
    ...session,
    query: async (text, values) => count(await session.query(text, values)),
  })
  const counting = (target: Database<Tx>, key: string | symbol, method: Method): Method => {
    if (key === 'session') {
      const session: Database<Tx>['session'] = (fn, options) => target.session((each) => fn(counted(each)), options)
      return session as Method
    }
    // Methods of an adapter may have private fields: they are called on the adapter itself.
    const bound: Method = method.bind(target)
    return COMMITTING.has(key) ? async (...parameters) => count(await bound(...parameters)) : bound
  }
  // By the adapter's own method: every statement asks for one, and binding it anew costs more than calling it.
  const known = new WeakMap<Method, Method>()
  const proxy = new Proxy(database, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      const method = value as Method
      const ours = known.get(method) ?? counting(target, key, method)
      known.set(method, ours)
      return ours
    },
  })
  return { database: proxy, commits: () => commits }
}

type Method = (...parameters: unknown[]) => Promise<unknown>
