import fc from 'fast-check'
import type { Action } from './actions.js'
import { BEHAVIOURS, HANDLED, NAMES, RUNNERS, type Behaviour, type Setup } from './cast.js'
import { RunBatch, RunBatches, RunBatchWhile } from './commands/batches.js'
import type { Command } from './commands/command.js'
import { Order } from './commands/control.js'
import { Die, Restart } from './commands/dying.js'
import { DieFrozen, Freeze, Thaw } from './commands/freezing.js'
import { RunToCompletionWhile } from './commands/completion.js'
import { AskForEnd, AskStatus } from './commands/questions.js'
import { PassTime } from './commands/time.js'

// A few names more often than others: what never meets can't collide.
const name = fc.constantFrom('a', 'a', 'a', 'b', 'b', 'D', 'D', ...HANDLED, ...NAMES)
const runner = fc.constantFrom(...RUNNERS)
const through = fc.option(runner, { freq: 1 })
const ordering = fc.constantFrom(-1, -1, 0, 1)
const dependsOn = fc.oneof(
  { arbitrary: fc.constant<string[]>([]), weight: 2 },
  { arbitrary: fc.tuple(name), weight: 2 },
  { arbitrary: fc.uniqueArray(fc.constantFrom(...NAMES, 'typo'), { minLength: 1, maxLength: 3 }), weight: 1 },
)
const behaviour = fc.oneof(
  { arbitrary: fc.constant<Behaviour>('walks'), weight: 4 },
  { arbitrary: fc.constantFrom(...BEHAVIOURS), weight: 5 },
)
const nonsense = fc.constantFrom('', 'nonsense', '[]', 'null', '"text"', '{"step": ', '{"step":5}')

const enqueue = fc.record({
  kind: fc.constant('enqueue' as const),
  name,
  options: fc.record(
    {
      dependsOn,
      ordering,
      ifExists: fc.constantFrom('error' as const, 'ignore' as const),
      progress: fc.record({ step: fc.nat(2) }),
    },
    { requiredKeys: [] },
  ),
})

const insert = fc.record({
  kind: fc.constant('insert' as const),
  name,
  row: fc.record(
    {
      progress: fc.oneof(fc.constant('{}'), nonsense),
      dependsOn: fc.oneof(
        dependsOn.map((names) => names.join(',')),
        dependsOn.map((names) => ` ${names.join(' , ')},`),
      ),
      ordering,
    },
    { requiredKeys: [] },
  ),
})

const order = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'cancel' as const), name }), weight: 3 },
  {
    arbitrary: fc.record({
      kind: fc.constantFrom('resume' as const, 'retry' as const, 'retry quarantined' as const),
      name,
    }),
    weight: 4,
  },
  {
    arbitrary: fc.record({
      kind: fc.constantFrom('disable' as const, 'enable' as const, 'enable' as const, 'enable' as const),
    }),
    weight: 2,
  },
  { arbitrary: fc.record({ kind: fc.constant('edit progress' as const), name, progress: nonsense }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('half a lease' as const), name }), weight: 1 },
  { arbitrary: enqueue, weight: 2 },
)

const action: fc.Arbitrary<Action> = fc.oneof(
  { arbitrary: enqueue, weight: 3 },
  { arbitrary: insert, weight: 2 },
  { arbitrary: order, weight: 3 },
)

/** What may come between two statements of a batch. */
const meanwhile: fc.Arbitrary<Action> = fc.oneof(
  { arbitrary: enqueue, weight: 3 },
  { arbitrary: insert, weight: 1 },
  { arbitrary: order, weight: 4 },
)

const fewFail = fc.oneof(
  { arbitrary: fc.constantFrom<Behaviour>('throws', 'returns nonsense', 'is locked out'), weight: 3 },
  { arbitrary: fc.constant<Behaviour>('empty step'), weight: 2 },
)
const series = fc.oneof(
  fc.array(fewFail, { minLength: 12, maxLength: 26, size: 'max' }),
  fc.array(fc.constant<Behaviour>('idles'), { minLength: 8, maxLength: 12, size: 'max' }),
)

const commands: readonly (readonly [weight: number, command: fc.Arbitrary<Command>])[] = [
  [10, fc.tuple(action, through).map((given) => new Order(...given))],
  [8, fc.tuple(runner, behaviour).map((given) => new RunBatch(...given))],
  [1, fc.tuple(runner, series).map((given) => new RunBatches(...given))],
  [4, fc.tuple(runner, behaviour, fc.nat(8), meanwhile).map((given) => new RunBatchWhile(...given))],
  [
    3,
    fc
      .tuple(runner, fc.constantFrom('prepare' as const, 'handler' as const), behaviour)
      .map((given) => new Freeze(...given)),
  ],
  [3, runner.map((index) => new Thaw(index))],
  [1, runner.map((index) => new DieFrozen(index))],
  [
    4,
    fc
      .tuple(runner, behaviour, fc.nat(32), fc.constantFrom('dies' as const, 'loses its connection' as const))
      .map((given) => new Die(...given)),
  ],
  [1, runner.map((index) => new Restart(index))],
  [5, fc.constantFrom(1, 400, 1_500, 6_000, 16_000, 70_000).map((ms) => new PassTime(ms))],
  [3, runner.map((index) => new AskStatus(index))],
  [2, fc.uniqueArray(name, { minLength: 1, maxLength: 3 }).map((names) => new AskForEnd(names))],
  [
    3,
    fc
      .tuple(runner, fc.constantFrom<Behaviour>('walks', 'walks', 'ends', 'throws for good'), fc.nat(40), meanwhile)
      .map((given) => new RunToCompletionWhile(...given)),
  ],
]

/** Sequences of commands; `replayPath` goes on where a failed run ended. */
export function commandsArbitrary(replayPath: string | undefined) {
  const weighted = commands.flatMap(([weight, command]) => Array.from({ length: weight }, () => command))
  return fc.commands(weighted, { maxCommands: 60, size: 'max', replayPath })
}

export const setupArbitrary: fc.Arbitrary<Setup & { readonly queue: readonly Action[] }> = fc.record({
  queue: fc.array(enqueue, { maxLength: 5, size: 'max' }),
  handlers: fc.tuple(
    fc.constant(HANDLED),
    fc.subarray([...HANDLED], { minLength: 2 }),
    fc.subarray([...HANDLED], { minLength: 2 }),
  ),
  maxAttempts: fc.constantFrom(5, 5, 5, 2, 1),
  strict: fc.constantFrom(false, false, false, true),
  randomSeed: fc.integer(),
})
