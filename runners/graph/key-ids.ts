/** Canonical keys: texts that are equal exactly where the keys' encodings are. */
import { type Coder, GeneralObjectCoder, type runnerApi } from "../../transforms/primitives/beam.js";
import {
  coderFromJson,
  coderToJson,
  encodeValue,
  KV_CODER_URN,
} from "../../transforms/primitives/graph-coders.js";

/** Begins the id of a key that is not its own. */
const ENCODED_KEY_PREFIX = "\u0001";
/** Coders that give every two strings different encodings. */
const CODERS_OF_STRINGS: ReadonlySet<string> = new Set([GeneralObjectCoder.URN, "beam:coder:string_utf8:v1"]);

/**
 * The ids of a PCollection's keys, by its key coder. A string is its own id. Any other key's id is U+0001
 * and its encoding, a character a byte; so is that of a string that begins with U+0001 itself.
 * @throws when the PCollection's coder is not KV, or not known.
 */
export function keyIdsOf(
  collection: { readonly id: string; readonly coderId: string },
  coders: Readonly<Record<string, runnerApi.Coder>>,
): (key: unknown) => string {
  const coder = coders[collection.coderId];
  const keyCoderId = coder?.componentCoderIds[0];
  if (coder?.spec?.urn !== KV_CODER_URN || keyCoderId === undefined) {
    throw new Error(
      `PCollection "${collection.id}" is read by key, so its coder must be ${KV_CODER_URN}, ` +
        `got ${coder?.spec?.urn ?? "none"}`,
    );
  }
  return keyIdOf(coderFromJson(coderToJson(coders, keyCoderId)), coders[keyCoderId]!.spec?.urn ?? "");
}

function keyIdOf(coder: Coder<unknown>, urn: string): (key: unknown) => string {
  const encodedId = (key: unknown) =>
    ENCODED_KEY_PREFIX + Buffer.from(encodeValue(coder, key)).toString("latin1");
  if (!CODERS_OF_STRINGS.has(urn)) return encodedId;
  return (key) => (typeof key === "string" && isOwnId(key) ? key : encodedId(key));
}

/** Not one that could be taken for another key's id, nor one whose encoding is not its own. */
function isOwnId(key: string): boolean {
  return key.charCodeAt(0) !== 1 && isWellFormed(key);
}

/** Whether no surrogate stands alone: UTF-8 has no encoding of it. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
