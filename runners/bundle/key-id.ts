/** The canonical form of a key: equal exactly where the encodings are. */
import { type Coder, GeneralObjectCoder } from "../../transforms/primitives/beam.js";
import { encodeToBase64 } from "./sdk-modules.js";

/** Stands before what is an encoding, so that it never equals a text that stands for itself. */
const ENCODED = "\0";

/** A function from keys to their ids. Without a coder, keys are encoded by the SDK's general one. */
export function keyIdOf(coder: Coder<unknown> = new GeneralObjectCoder()): (key: unknown) => string {
  const isGeneral = coder instanceof GeneralObjectCoder;
  return (key) => {
    if (isGeneral && typeof key === "string" && !key.startsWith(ENCODED)) return key;
    return ENCODED + encodeToBase64(key, coder);
  };
}
