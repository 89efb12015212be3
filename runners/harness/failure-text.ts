/** A failure as the runner passes it on: what went wrong in the first line, then where. */
import { inspect } from "node:util";
import { StreamLostError } from "./transport/runner-stream.js";

/**
 * The message, and the stack of the innermost cause, which is what the user's own code threw. The runner shows it
 * in the job's messages. Of a lost stream the message is all: its stack is ours, and tells nothing.
 */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  let innermost = error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  if (innermost instanceof StreamLostError) return error.message;
  const stack = innermost.stack ?? String(innermost);
  return stack.startsWith(`${error.name}: ${error.message}`) ? stack : `${error.message}\n${stack}`;
}
