import { findPostgresIndex, findPostgresRelation } from '../../databases/catalogue/postgres-index.js'
import type { Query } from '../../databases/database.js'
import { productCapabilities } from '../../databases/server-product.js'
import { quoteTable } from '../../databases/identifier.js'
import type { ProgressReport } from '../definition.js'
import type { IndexRequest } from './options.js'
import { partitionIndexName } from './partitioned.js'

// The table itself, or all tables below a partitioned one.
const BUILDS = `
  SELECT p.pid::int AS pid,
    p.phase::text AS phase,
    c.relname::text AS table_name,
    n.nspname::text AS table_schema,
    i.relname::text AS index_name,
    p.blocks_done::float8 AS blocks_done,
    p.blocks_total::float8 AS blocks_total,
    p.tuples_done::float8 AS tuples_done,
    p.tuples_total::float8 AS tuples_total
  FROM pg_stat_progress_create_index AS p
  JOIN pg_class AS c ON c.oid = p.relid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_class AS i ON i.oid = p.index_relid
  WHERE p.datname = current_database()
    AND (p.relid = $1::text::oid OR p.relid IN (SELECT tree.relid FROM pg_partition_tree($1::text::oid) AS tree))
  ORDER BY p.pid`

// Statements for this index that aren't in the progress view: they wait for their first lock, or drop.
const STATEMENTS = `
  SELECT a.pid::int AS pid, CASE WHEN a.query ~* '^\\s*DROP\\M' THEN 1 ELSE 0 END AS drops
  FROM pg_stat_activity AS a
  WHERE a.datname = current_database()
    AND a.pid <> pg_backend_pid()
    AND a.state = 'active'
    AND a.query ~* '^\\s*(CREATE|DROP|ALTER)\\M'
    AND (strpos(a.query, $1::text) > 0 OR strpos(a.query, $2::text) > 0)
  ORDER BY a.pid
  LIMIT 1`

const BLOCKERS = `
  SELECT a.pid::int AS pid,
    a.state::text AS state,
    nullif(a.application_name::text, '') AS application,
    left(a.query::text, 100) AS query,
    extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start, a.backend_start))::float8 AS seconds
  FROM pg_stat_activity AS a
  WHERE a.pid = ANY (pg_blocking_pids($1::int))
    OR a.pid IN (SELECT p.current_locker_pid FROM pg_stat_progress_create_index AS p WHERE p.pid = $1::int)
  ORDER BY seconds DESC
  LIMIT 10`

const PARTITIONS_DONE = `
  SELECT count(*)::int AS total,
    count(*) FILTER (
      WHERE EXISTS (
        SELECT FROM pg_partition_tree($2::text::oid) AS index_tree
        JOIN pg_index AS i ON i.indexrelid = index_tree.relid
        WHERE i.indrelid = tree.relid AND i.indisvalid
      )
    )::int AS done
  FROM pg_partition_tree($1::text::oid) AS tree
  WHERE tree.isleaf`

/** How far the index is, by the catalogue and the progress views of the server; also when another process builds it. */
export async function inspectOnPostgres(query: Query, request: IndexRequest): Promise<ProgressReport> {
  const table = await findPostgresRelation(query, quoteTable(request.table, 'postgres'))
  if (table === null) return { fraction: null, phase: 'the table does not exist' }
  const index = await findPostgresIndex(query, table.schema, request.index)
  if (!(await productCapabilities(query)).showsBuilds) {
    return { fraction: null, phase: index?.valid === true ? 'index is valid' : 'building index' }
  }
  const parts = table.kind === 'p' && index !== null ? await partitionsDone(query, table.oid, index.oid) : null
  const build = await findBuild(query, request, table.oid)
  if (build !== null) {
    const within = fractionOf(build)
    return {
      fraction: parts === null ? within : partitionedFraction(parts, within),
      phase: build.phase,
      ...told(await blockersOf(query, build.pid), partsDone(parts), amount(build)),
    }
  }
  return betweenBuilds(query, request, index?.valid === true, parts)
}

async function betweenBuilds(
  query: Query,
  request: IndexRequest,
  valid: boolean,
  parts: PartitionsDone | null,
): Promise<ProgressReport> {
  const statement = await findStatement(query, request)
  const more = told(statement ? await blockersOf(query, statement.pid) : [], partsDone(parts))
  if (statement?.drops === 1) return { fraction: valid ? ALMOST : null, phase: 'dropping index', ...more }
  if (statement) return { fraction: parts && partitionedFraction(parts, 0), phase: 'waiting for a lock', ...more }
  if (valid) return { fraction: ALMOST, phase: 'index is valid', ...more }
  return { fraction: parts && partitionedFraction(parts, 0), phase: 'waiting to build', ...more }
}

interface Build {
  pid: number
  phase: string
  table_name: string
  table_schema: string
  index_name: string | null
  blocks_done: number
  blocks_total: number
  tuples_done: number
  tuples_total: number
}

interface PartitionsDone {
  total: number
  done: number
}

async function findBuild(query: Query, request: IndexRequest, tableOid: string): Promise<Build | null> {
  const { rows } = await query<Build>(BUILDS, [tableOid])
  const ours = (build: Build) => {
    const partition = { schema: build.table_schema, name: build.table_name }
    return build.index_name === request.index || build.index_name === partitionIndexName(request.index, partition)
  }
  // In its first phase a build has no index yet.
  return rows.find(ours) ?? rows.find((build) => build.index_name === null) ?? null
}

async function findStatement(query: Query, request: IndexRequest): Promise<{ pid: number; drops: number } | null> {
  const quoted = (name: string) => quoteTable(name, 'postgres')
  const names = [quoted(request.index), quoted(request.replaces ?? request.index)]
  return (await query<{ pid: number; drops: number }>(STATEMENTS, names)).rows[0] ?? null
}

async function partitionsDone(query: Query, tableOid: string, indexOid: string): Promise<PartitionsDone | null> {
  const [row] = (await query<PartitionsDone>(PARTITIONS_DONE, [tableOid, indexOid])).rows
  return row !== undefined && row.total > 0 ? row : null
}

interface Blocker {
  pid: number
  state: string | null
  application: string | null
  query: string | null
  seconds: number
}

async function blockersOf(query: Query, pid: number): Promise<Blocker[]> {
  return (await query<Blocker>(BLOCKERS, [pid])).rows
}

function told(blockers: readonly Blocker[], ...more: readonly (string | null)[]) {
  const described = blockers.map((each) => `pid ${each.pid} (${describeBlocker(each)})`)
  const detail = sentences(...more, described.length > 0 ? `waits for ${described.join(', ')}` : null)
  // Neither its age nor what it does at the moment: whoever holds us up stays the same.
  const names = blockers.map(({ pid, application }) => `pid ${pid}${application === null ? '' : ` (${application})`}`)
  return { detail, ...(names.length > 0 ? { waitsFor: names.sort().join(', ') } : {}) }
}

function describeBlocker({ state, application, query, seconds }: Blocker): string {
  const words = [state ?? 'state unknown', `open for ${age(seconds)}`]
  if (application !== null) words.push(application)
  // Of another role's session the server doesn't tell.
  if (query !== null && query !== '' && query !== '<insufficient privilege>') words.push(query.replaceAll(/\s+/g, ' '))
  return words.join(', ')
}

function partsDone(parts: PartitionsDone | null): string | null {
  return parts && `${parts.done} of ${parts.total} partitions done`
}

function age(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}

function amount(build: Build): string | null {
  if (build.blocks_total > 0) return `${build.blocks_done} of ${build.blocks_total} blocks`
  return build.tuples_total > 0 ? `${build.tuples_done} of ${build.tuples_total} tuples` : null
}

function sentences(...parts: readonly (string | null | undefined)[]): string | undefined {
  const said = parts.filter((part) => part)
  return said.length === 0 ? undefined : said.join('; ')
}

const ALMOST = 0.99

// Where a phase of CREATE INDEX CONCURRENTLY begins and ends in the whole. The two scans of the table take the time; the
// waits take none or any.
const PHASES: readonly (readonly [name: string, from: number, to: number])[] = [
  ['initializing', 0, 0],
  ['waiting for writers before build', 0, 0],
  ['building index: scanning table', 0, 0.5],
  ['building index: sorting live tuples', 0.5, 0.5],
  ['building index: sorting dead tuples', 0.55, 0.55],
  ['building index: loading tuples in tree', 0.55, 0.7],
  // Access methods without phases of their own.
  ['building index', 0, 0.7],
  ['waiting for writers before validation', 0.7, 0.7],
  ['index validation: scanning index', 0.7, 0.8],
  ['index validation: sorting tuples', 0.8, 0.8],
  ['index validation: scanning table', 0.8, 0.98],
  ['waiting for old snapshots', 0.98, 0.98],
]

/** Share of the whole build, below 1. */
export function fractionOf(
  build: Pick<Build, 'phase' | 'blocks_done' | 'blocks_total' | 'tuples_done' | 'tuples_total'>,
): number {
  const phase = PHASES.find(([name]) => name === build.phase) ?? PHASES.find(([name]) => build.phase.startsWith(name))
  // The phases of REINDEX and of versions to come that aren't listed are those after the build.
  if (phase === undefined) return 0.98
  const [, from, to] = phase
  return from + (to - from) * within(build)
}

function within(build: Pick<Build, 'blocks_done' | 'blocks_total' | 'tuples_done' | 'tuples_total'>): number {
  if (build.blocks_total > 0) return Math.min(1, build.blocks_done / build.blocks_total)
  return build.tuples_total > 0 ? Math.min(1, build.tuples_done / build.tuples_total) : 0
}

function partitionedFraction(parts: PartitionsDone, within: number): number {
  return Math.min(ALMOST, (parts.done + within) / parts.total)
}
