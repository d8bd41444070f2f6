import { existsSync } from 'node:fs'
import path from 'node:path'

/** The names of a configuration file, the first of a folder wins. */
export const CONFIG_FILES = ['evenkeel.config.ts', 'evenkeel.config.mts', 'evenkeel.config.js', 'evenkeel.config.mjs']

/** The configuration file of a folder, or null. */
export function configIn(folder: string): string | null {
  return CONFIG_FILES.map((name) => path.join(folder, name)).find((file) => existsSync(file)) ?? null
}

/** The nearest configuration file in a folder or one above it, or null. */
export function findConfig(from: string): string | null {
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    const found = configIn(folder)
    if (found !== null || folder === path.dirname(folder)) return found
  }
}
