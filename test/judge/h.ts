import { BackgroundUpdater } from 'evenkeel'
import { onTestFinished } from 'vitest'
export const quiet = { debug() {}, info() {}, warn() {}, error() {} } as any
export async function go(db: any, updates: any[], opts: any = {}, enqueueWhich?: any[]) {
  const u: any = new BackgroundUpdater({ database: db.database, updates, logger: quiet, ...opts } as any)
  onTestFinished(() => u.stop({ graceMs: 0 }))
  await u.install()
  for (const x of enqueueWhich ?? updates) await u.enqueue(x)
  await u.runToCompletion()
  return u
}
export async function attempt(f: () => Promise<any>): Promise<string> {
  try { const r = await f(); return 'OK ' + (typeof r === 'string' ? r : '') } catch (e: any) {
    const list = [e, ...(e.errors ?? []), e.cause].filter(Boolean)
    return list.map((x: any) => `${x.constructor.name}/${x.code}: ${x.message}${x.hint ? ' HINT ' + x.hint : ''}`).join(' || ')
  }
}
export const N = (n: number) => `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${n})`
