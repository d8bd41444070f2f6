import { defineConfig } from 'tsdown'

// `unbundle` keeps one output file per source file: stack traces and the debugger show the code that people read here.
export default defineConfig({
  entry: [
    'src/index.ts',
    'src/databases/drivers/pg.ts',
    'src/databases/drivers/better-sqlite3.ts',
    'src/testing/index.ts',
    'src/worker/index.ts',
    // Nobody imports it: it is what a thread is begun with.
    'src/worker/thread.ts',
    'src/cli/main.ts',
  ],
  outDir: 'dist',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  unbundle: true,
  dts: true,
  sourcemap: true,
  clean: true,
  fixedExtension: false,
})
