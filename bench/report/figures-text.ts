import type { Figure } from './figures.js'

/** The figures as a Markdown table. */
export function figuresText(figures: readonly Figure[]): string {
  const lines = figures.map(
    ({ what, bound, measured, met }) =>
      `| ${what} | ${bound} | ${measured ?? 'not measured'} | ${met === null ? '–' : met ? 'yes' : '**no**'} |`,
  )
  return ['| what | at least | measured | met? |', '| --- | --- | --- | --- |', ...lines].join('\n')
}
