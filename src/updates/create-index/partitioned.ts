import { createHash } from 'node:crypto'
import {
  findPostgresRelation,
  postgresForeignPartitions,
  postgresIndexesOf,
  postgresIndexShape,
  postgresPartitions,
  type PostgresIndex,
  type PostgresPartition,
  type PostgresRelation,
} from '../../databases/catalogue/postgres-index.js'
import { quoteIdentifier, quoteTable } from '../../databases/identifier.js'
import { buildConcurrently } from './build-concurrently.js'
import { createIndexSql } from './create-index-sql.js'
import { ForeignPartitionError, IndexNameTakenError, IndexRefusedError } from './errors.js'
import { longStatement } from './long-statement.js'
import type { IndexRequest } from './options.js'
import { waitForOtherBuilders, type BuildContext } from './other-builders.js'
import { findOwnIndex, requestedShape, requireSameDefinition } from './postgres-definition.js'
import { isNameTaken, isRefusal } from './refusal.js'
import { underShortLock } from './short-lock.js'

/** What the name of an index may have in bytes. */
const LONGEST_NAME = 63
/** A partition that was added meanwhile is found at the next look; nobody adds partitions for ever. */
const MAX_ROUNDS = 100

/**
 * The index of a partitioned table, without blocking writers: it is made on the parent alone, which costs nothing, then
 * on each partition concurrently, and each is attached. PostgreSQL makes the parent's valid with the last one. Every
 * step looks first at what is there, so a crash anywhere is gone on from.
 *
 * Procedure: PostgreSQL's manual, "Table Partitioning", and CREATE INDEX, "Building Indexes Concurrently".
 */
export async function buildPartitioned(
  context: BuildContext,
  request: IndexRequest,
  table: PostgresRelation,
): Promise<void> {
  const foreign = await postgresForeignPartitions(context.query, table.oid)
  if (foreign.length > 0) throw new ForeignPartitionError(request.index, table.name, foreign)
  await buildOnPartitions(context, request, table, request.index)
}

async function buildOnPartitions(
  context: BuildContext,
  request: IndexRequest,
  table: PostgresRelation,
  name: string,
): Promise<PostgresIndex> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const parent = await indexOnParentAlone(context, request, table, name)
    if (parent.valid) return parent
    const partitions = await postgresPartitions(context.query, table.oid, parent.oid)
    const open = partitions.filter((partition) => partition.attached?.valid !== true)
    for (const partition of open) await completePartition(context, request, parent, partition)
    if (open.length > 0) continue
    // All are there. Attaching again makes PostgreSQL look whether the parent is complete.
    const [complete] = partitions
    if (complete?.attached) await attach(context, request, parent, complete.attached)
    // The last partition has gone meanwhile: without any, only a new index is valid.
    else await underShortLock(context, () => context.query(`DROP INDEX IF EXISTS ${quoteTable(parent, 'postgres')}`))
  }
  throw new IndexRefusedError(
    name,
    quoteTable({ schema: table.schema, name }, 'postgres'),
    new Error('it does not become valid although all its partitions have it'),
  )
}

async function indexOnParentAlone(
  context: BuildContext,
  request: IndexRequest,
  table: PostgresRelation,
  name: string,
): Promise<PostgresIndex> {
  const sql = createIndexSql(request, {
    dialect: 'postgres',
    index: quoteIdentifier(name, 'postgres'),
    table: quoteTable(table, 'postgres'),
    only: true,
  })
  for (;;) {
    const found = await findOwnIndex(context.query, table, name)
    if (found !== null) {
      await requireSameDefinition(context.query, request, table, found)
      return found
    }
    try {
      await underShortLock(context, () => context.query(sql))
    } catch (error) {
      if (isRefusal(error)) throw new IndexRefusedError(name, sql, error)
      if (!isNameTaken(error)) throw error
    }
  }
}

async function completePartition(
  context: BuildContext,
  request: IndexRequest,
  parent: PostgresIndex,
  partition: PostgresPartition,
): Promise<void> {
  context.signal.throwIfAborted()
  const name = partition.attached?.name ?? partitionIndexName(parent.name, partition)
  if (partition.kind === 'p') {
    const child = await buildOnPartitions(context, request, partition, name)
    if (partition.attached === null) await attach(context, request, parent, child)
    return
  }
  if (partition.attached !== null) {
    await repair(context, partition, partition.attached)
    await attach(context, request, parent, partition.attached)
    return
  }
  const child =
    (await matchingIndex(context, request, partition, name)) ??
    (await buildConcurrently(context, request, partition, name))
  if (child.parentOid !== null) throw new IndexNameTakenError(name, 'a part of another partitioned index')
  await attach(context, request, parent, child)
}

/** A valid index of the same definition that the partition has already, as CREATE INDEX on the parent would take it. */
async function matchingIndex(
  context: BuildContext,
  request: IndexRequest,
  partition: PostgresRelation,
  ownName: string,
): Promise<PostgresIndex | null> {
  const indexes = await postgresIndexesOf(context.query, partition.oid)
  // What has our name is ours to complete, and its leftovers to remove.
  if (indexes.some((index) => index.name === ownName)) return null
  const free = indexes.filter((index) => index.valid && index.parentOid === null && index.name !== request.replaces)
  if (free.length === 0) return null
  const wanted = await requestedShape(context.query, request, partition)
  for (const index of free) {
    if ((await postgresIndexShape(context.query, quoteTable(index, 'postgres'))) === wanted) return index
  }
  return null
}

// An attached index can't be dropped alone; only REINDEX makes an invalid one whole.
async function repair(
  context: BuildContext,
  partition: PostgresRelation,
  index: { schema: string; name: string },
): Promise<void> {
  await waitForOtherBuilders(context, partition.oid)
  await longStatement(context, `REINDEX INDEX CONCURRENTLY ${quoteTable(index, 'postgres')}`)
}

async function attach(
  context: BuildContext,
  request: IndexRequest,
  parent: PostgresIndex,
  child: { schema: string; name: string },
): Promise<void> {
  const sql = `ALTER INDEX ${quoteTable(parent, 'postgres')} ATTACH PARTITION ${quoteTable(child, 'postgres')}`
  try {
    await underShortLock(context, () => context.query(sql))
  } catch (error) {
    if (isRefusal(error) && (await stillThere(context, child))) {
      throw new IndexRefusedError(request.index, sql, error)
    }
    throw error
  }
}

async function stillThere(context: BuildContext, index: { schema: string; name: string }): Promise<boolean> {
  return (await findPostgresRelation(context.query, quoteTable(index, 'postgres'))) !== null
}

/**
 * The name of a partition's index, always the same for the same partition: `<index>_<partition>`, and where that is too
 * long, its beginning and a hash.
 */
export function partitionIndexName(
  parentIndex: string,
  partition: { readonly schema: string; readonly name: string },
): string {
  const whole = `${parentIndex}_${partition.name}`
  if (Buffer.byteLength(whole) <= LONGEST_NAME) return whole
  const hash = createHash('sha256')
    .update(JSON.stringify([parentIndex, partition.schema, partition.name]))
    .digest('hex')
    .slice(0, 8)
  return `${firstBytes(whole, LONGEST_NAME - hash.length - 1)}_${hash}`
}

// Never half a character.
function firstBytes(text: string, bytes: number): string {
  let kept = ''
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > bytes) break
    kept += character
  }
  return kept
}
