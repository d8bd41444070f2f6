import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { readPage, ROOT } from './markdown.js'

// Where the options that an interface itself declares are written down.
const OPTIONS: readonly (readonly [name: string, path: string, page: string, heading: string])[] = [
  ['UpdaterOptions', 'src/settings.ts', 'docs/engine.md', 'Options of the updater'],
  ['CommonOptions', 'src/updates/definition.ts', 'docs/updates.md', 'What they have in common'],
  ['UpdateSettings', 'src/updates/definition.ts', 'docs/updates.md', 'What they have in common'],
  ['WalkOptions', 'src/updates/walk/options.ts', 'docs/updates.md', 'The walk'],
  ['BackfillOptions', 'src/updates/backfill/options.ts', 'docs/updates.md', 'backfill'],
  ['RowBackfillOptions', 'src/updates/row-backfill/options.ts', 'docs/updates.md', 'rowBackfill'],
  ['DeleteRowsOptions', 'src/updates/delete-rows.ts', 'docs/updates.md', 'deleteRows'],
  ['CreateIndexOptions', 'src/updates/create-index/options.ts', 'docs/updates.md', 'createIndex'],
  ['IndexColumnOrder', 'src/updates/create-index/options.ts', 'docs/updates.md', 'createIndex'],
  ['ForeignKeyOptions', 'src/updates/constraints/constraint.ts', 'docs/updates.md', 'Constraints'],
  ['AddConstraintOptions', 'src/updates/constraints/add-constraint.ts', 'docs/updates.md', 'addConstraint'],
  [
    'ValidateConstraintOptions',
    'src/updates/constraints/validate-constraint.ts',
    'docs/updates.md',
    'validateConstraint',
  ],
  [
    'ValidateAndRepairOptions',
    'src/updates/constraints/validate-constraint-and-repair.ts',
    'docs/updates.md',
    'validateConstraintAndRepair',
  ],
  ['SetNotNullOptions', 'src/updates/constraints/set-not-null.ts', 'docs/updates.md', 'setNotNull'],
  ['BatchContext', 'src/updates/definition.ts', 'docs/custom-updates.md', 'A batch'],
  ['HandlerContext', 'src/updates/definition.ts', 'docs/custom-updates.md', 'A batch'],
  ['AdaptivePaceOptions', 'src/pacing/adaptive/options.ts', 'docs/pacing.md', 'The adaptive pace'],
  ['PaceKnobs', 'src/pacing/adaptive/presets.ts', 'docs/pacing.md', 'The adaptive pace'],
  ['SignalOptions', 'src/signals/own-signal.ts', 'docs/pacing.md', 'Signals'],
  ['SignalContext', 'src/signals/signal.ts', 'docs/pacing.md', 'Signals'],
  ['PostgresSignalsOptions', 'src/signals/postgres-signals.ts', 'docs/pacing.md', 'Signals'],
  ['SqliteSignalsOptions', 'src/signals/sqlite-signals.ts', 'docs/pacing.md', 'Signals'],
  ['Budgets', 'src/pacing/budgets/budgets.ts', 'docs/pacing.md', 'Budgets'],
  ['GuardedTunerOptions', 'src/pacing/guarded/options.ts', 'docs/pacing.md', 'The guarded tuner'],
]

it.each(OPTIONS)('every member of %s is written down', (name, path, page, heading) => {
  const section = readPage(page).text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const mentioned = new Set(Array.from(section.matchAll(/`([a-zA-Z]+)(?:\([^`]*)?`/g), ([, word]) => word))
  const members = membersOf(name, path)
  expect(members.length).toBeGreaterThan(0)
  expect(members.filter((member) => !mentioned.has(member))).toEqual([])
})

/** The members that an interface declares itself. */
function membersOf(name: string, path: string): string[] {
  const file = ts.createSourceFile(path, readFileSync(join(ROOT, path), 'utf8'), ts.ScriptTarget.Latest, true)
  const declaration = file.statements.filter(ts.isInterfaceDeclaration).find((each) => each.name.text === name)
  return (declaration?.members ?? []).map((member) => member.name?.getText() ?? '')
}
