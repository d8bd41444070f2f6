import type { BatchedUpdate, Config, JsonObject } from 'evenkeel'

export function makeFill(): BatchedUpdate<unknown, JsonObject>
declare const configuration: (file: string) => Config
export default configuration
