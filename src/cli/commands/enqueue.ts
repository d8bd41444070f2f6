import { InvalidArgumentError, type Command } from 'commander'
import { ConfigurationError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import { targetDefining } from '../choose-target.js'
import { ExitCode } from '../exit-codes.js'
import { withTargets } from '../open-targets.js'
import type { GlobalOptions, Shell } from '../shell.js'
import { enqueueSql } from '../enqueue-sql.js'
import { findTargets } from '../targets.js'

interface EnqueueOptions {
  readonly progress?: JsonObject
  readonly dependsOn?: readonly string[]
  readonly ordering?: number
  readonly ifQueued: 'error' | 'ignore'
  readonly by?: string
  readonly sql?: boolean
}

export function addEnqueueCommand(program: Command, shell: Shell): void {
  program
    .command('enqueue')
    .summary('put an update into the queue')
    .description(
      'Puts an update into the queue; whoever runs the queue runs it. What is left out comes from its definition.\n' +
        'With --sql it prints the INSERT for a migration instead, and connects to nothing.',
    )
    .argument('<name>', 'name of the update')
    .option('--progress <json>', 'first progress, a JSON object: parameters or bounds', parseProgress)
    .option('--depends-on <names...>', 'updates that must be finished first')
    .option('--ordering <number>', 'lower runs first', parseOrdering)
    .option('--if-queued <what>', 'when it is queued already: error or ignore', parseIfQueued, 'error')
    .option('--by <who>', 'who asks, for the history')
    .option('--sql', 'print the INSERT for a migration instead')
    .action(
      shell.action<EnqueueOptions>((options, [name = '']) => {
        const { progress, ordering, by, ifQueued } = options
        // `--depends-on a,b` means the same as `--depends-on a b`.
        const dependsOn = options.dependsOn?.flatMap((names) => names.split(',')).map((one) => one.trim())
        const row = { progress, dependsOn, ordering }
        if (options.sql) return printSql(shell, options, name, row)
        return withTargets(shell, options, async (targets) => {
          const { updater } = targetDefining(targets, name)
          const written = await updater.enqueue(name, { ...withoutUndefined({ ...row, by }), ifExists: ifQueued })
          shell.output.line(written ? `${name}: queued` : `${name}: is queued already`)
          return ExitCode.DONE
        })
      }),
    )
}

async function printSql(
  shell: Shell,
  options: GlobalOptions,
  name: string,
  row: Pick<EnqueueOptions, 'progress' | 'dependsOn' | 'ordering'>,
): Promise<ExitCode> {
  const target = targetDefining(await findTargets(options, shell), name)
  const { dialect, definitions } = target
  if (dialect === undefined) {
    throw new ConfigurationError(`database "${target.databaseName}"`, [
      'its kind is not known before it is opened; give --database postgres:// or --database sqlite:NAME',
    ])
  }
  const definition = definitions?.find((candidate) => candidate.name === name)
  shell.output.line(
    enqueueSql(dialect, options.schema ?? target.options.schema, {
      name,
      progress: row.progress ?? definition?.initialProgress ?? {},
      dependsOn: row.dependsOn ?? definition?.dependsOn ?? [],
      ordering: row.ordering ?? definition?.ordering ?? 0,
    }),
  )
  return ExitCode.DONE
}

function withoutUndefined<Values extends object>(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Values
}

function parseProgress(text: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new InvalidArgumentError(`It is not JSON: ${(error as Error).message}.`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError('It must be a JSON object, as {"from": 1}.')
  }
  return value as JsonObject
}

function parseOrdering(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

function parseIfQueued(text: string): 'error' | 'ignore' {
  if (text === 'error' || text === 'ignore') return text
  throw new InvalidArgumentError('It must be error or ignore.')
}
