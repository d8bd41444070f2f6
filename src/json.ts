/** A value that survives `JSON.parse(JSON.stringify(value))` unchanged. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject

/** A JSON object: what progress and tuner state are stored as. */
export interface JsonObject {
  readonly [key: string]: JsonValue
}
