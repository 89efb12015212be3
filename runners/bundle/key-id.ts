/** The canonical form of a key, where the key may have no coder of its own. */
import { type Coder, GeneralObjectCoder } from "../../transforms/primitives/beam.js";
import { keyIdOf } from "../../transforms/primitives/coders/encode.js";

/** A function from keys to ids that are equal exactly where the encodings are. Without a coder: the general one. */
export function keyIds(coder: Coder<unknown> = new GeneralObjectCoder()): (key: unknown) => string {
  return keyIdOf(coder);
}
