/** Keys of a PCollection as texts that are equal exactly where the keys' encodings are. */
import type { runnerApi } from "../../transforms/primitives/beam.js";
import { coderFromProto } from "../../transforms/primitives/coders/coder-from-proto.js";
import { keyIdOf } from "../../transforms/primitives/coders/encode.js";
import { KV_CODER_URN } from "../../transforms/primitives/graph-coders.js";

/**
 * By the key coder, as `keyIdOf` does it: a string is its own id, any other key's is U+0001 and its encoding,
 * so that no two of them meet.
 * @throws when the PCollection's coder is not KV, or not known.
 */
export function keyIdsOf(
  collection: { readonly id: string; readonly coderId: string },
  components: runnerApi.Components,
): (key: unknown) => string {
  const coder = components.coders[collection.coderId];
  const keyCoderId = coder?.componentCoderIds[0];
  if (coder?.spec?.urn !== KV_CODER_URN || keyCoderId === undefined) {
    throw new Error(
      `PCollection "${collection.id}" is read by key, so its coder must be ${KV_CODER_URN}, ` +
        `got ${coder?.spec?.urn ?? "none"}`,
    );
  }
  const keyId = keyIdOf(coderFromProto(components, keyCoderId));
  return (key) => {
    try {
      return keyId(key);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`the key of an element of PCollection "${collection.id}" cannot be encoded: ${why}`, {
        cause,
      });
    }
  };
}
