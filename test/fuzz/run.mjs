// npm run test:fuzz -- --inputs 100000 --seed 1
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { inputs: { type: 'string', default: '100000' }, seed: { type: 'string' } },
})
const env = { ...process.env, EVENKEEL_FUZZ_INPUTS: values.inputs }
if (values.seed !== undefined) env.EVENKEEL_SEED = values.seed
const { status } = spawnSync('npx', ['vitest', 'run', 'test/fuzz'], { stdio: 'inherit', env })
process.exitCode = status ?? 1
