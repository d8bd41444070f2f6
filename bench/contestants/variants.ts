import {
  adaptivePace,
  emaTuner,
  fixedPace,
  noPace,
  type AdaptivePaceOptions,
  type Pace,
  type PacePreset,
  type UpdaterOptions,
} from 'evenkeel'

/** Evenkeel in one of its settings. */
export interface Variant {
  readonly key: string
  readonly title: string
  /** Made anew for every run, for a pace remembers. */
  readonly options: () => Omit<UpdaterOptions<never>, 'database' | 'updates'>
}

export const CLASSIC: Variant = {
  key: 'classic',
  title: 'classic: emaTuner(), 1 s pause',
  options: () => ({ tuner: emaTuner(), pace: afterFirst(4, fixedPace({ sleepMs: 1_000 })) }),
}

export const CLASSIC_WITHOUT_PAUSE: Variant = {
  key: 'classic-no-pause',
  title: 'classic without pause',
  options: () => ({ tuner: emaTuner(), pace: noPace() }),
}

export const DEFAULT: Variant = { key: 'default', title: 'Evenkeel, default', options: () => ({}) }

/** A preset of the default pace. */
export const preset = (name: PacePreset): Variant => ({
  key: name,
  title: `Evenkeel, preset ${name}`,
  options: () => ({ pace: adaptivePace({ preset: name }) }),
})

/** The default with other knobs; wrong ones are refused here. */
export function turned(knobs: AdaptivePaceOptions): Variant {
  adaptivePace(knobs)
  const text = JSON.stringify(knobs)
  return { key: `pace-${text}`, title: `Evenkeel, ${text}`, options: () => ({ pace: adaptivePace(knobs) }) }
}

/** The default with several lanes. */
export const lanes = (count: number): Variant => ({
  key: `lanes-${count}`,
  title: `Evenkeel, lanes: ${count}`,
  options: () => ({ lanes: count }),
})

/** The first batches at once: in them a tuner finds its size, and what is measured is how it goes on from there. */
function afterFirst(batches: number, pace: Pace): Pace {
  let asked = 0
  return {
    beforeBatch: (context) => (++asked > batches ? pace.beforeBatch(context) : { ms: 0, why: 'one of the first' }),
  }
}
