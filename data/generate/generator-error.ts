/** Why the generator could not do what it was asked to. */

/** `invalid_options` is the caller's to repair (exit 2), the others are the machine's (exit 1). */
export type GeneratorErrorCode = "invalid_options" | "output_exists" | "write_failed";

/** A failure of the generator; the message names the thing, the rule and the value. */
export class GeneratorError extends Error {
  override readonly name = "GeneratorError";
  readonly code: GeneratorErrorCode;

  constructor(code: GeneratorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
