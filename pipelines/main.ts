/** A command from its arguments to its exit code. */
import { type ParsedCommand, parseCommandLine } from "./command-line.js";
import type { CommandHost } from "./create-context.js";
import { EXIT_FAILED, EXIT_USAGE, UsageError } from "./usage-error.js";
import type { Parts, VerbContext } from "./verb.js";
import { verbs } from "./verbs.js";

/**
 * Runs one command. 0: done; 1: failed, with one message; 2: something typed or configured has to be
 * put right, one line each.
 */
export async function main(argv: readonly string[], parts: Parts, host: CommandHost): Promise<number> {
  try {
    const offered = verbs.filter(({ name }) => Object.hasOwn(parts.verbs, name));
    const command = parseCommandLine(argv, offered);
    if ("help" in command) {
      (command.exitCode === 0 ? host.stdout : host.stderr).write(command.help);
      return command.exitCode;
    }
    return await runCommand(command, parts, host);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    await writeProblems(error, host);
    return EXIT_USAGE;
  }
}

async function runCommand(command: ParsedCommand, parts: Parts, host: CommandHost): Promise<number> {
  // only now: --help and a misspelt flag answer without loading zod
  const { createContext } = await import("./create-context.js");
  const context = await createContext(command, parts, host);
  try {
    const run = await parts.verbs[command.verb]!();
    return await run(context);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    reportFailure(error, context);
    return EXIT_FAILED;
  } finally {
    context.stop.end();
  }
}

async function writeProblems(error: UsageError, host: CommandHost): Promise<void> {
  const { redact } = await import("../sql/redact.js");
  for (const problem of error.problems) host.stderr.write(`millrace: ${redact(problem)}\n`);
}

/** One clear message; the stack, and what caused it, at level debug only. */
function reportFailure(error: unknown, { log, liveLine }: VerbContext): void {
  liveLine?.show("");
  log.error(error instanceof Error ? error.message || error.name : String(error));
  for (let cause = error; cause instanceof Error; cause = cause.cause) log.debug("in full", { error: cause });
}
