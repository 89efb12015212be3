/** A codec of state for tests of the engine alone: everything is JSON. */
import type { StateCodec, ValueCodec } from "../../../../runners/engine/durable/state-codec.js";
import type { Window } from "../../../../runners/engine/element.js";

export const JSON_CODEC: ValueCodec = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as unknown,
};

/** @param restoring roots that begin anew where they were */
export function jsonCodec(restoring: readonly string[] = []): StateCodec {
  return {
    element: () => JSON_CODEC,
    window: () => JSON_CODEC as ValueCodec<Window>,
    key: () => JSON_CODEC,
    groupedValue: () => JSON_CODEC,
    cell: () => ({ value: JSON_CODEC, mapKey: JSON_CODEC }),
    restriction: () => JSON_CODEC,
    watermarkState: () => JSON_CODEC,
    restoresPosition: (root) => restoring.includes(root),
  };
}
